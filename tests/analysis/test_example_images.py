import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmproto.analysis.example_images import example_images
from tests.analysis.random_scores import random_scores


@given(st.integers(0, 99), st.integers(1, 20), st.integers(1, 6))
def test_the_most_confident_are_chosen(seed, images, count):
    test = random_scores(seed, images, 1, 4)
    correct, mistakes = example_images(test, count)
    sure = test.confidence
    wrong = [i for i in range(images) if np.argmax(test.logits[i]) != test.labels[i]]
    assert mistakes == sorted(wrong, key=lambda i: -sure[i])[:count]
    right = sorted(set(range(images)) - set(wrong))

    def place(image):
        same = [i for i in right if test.labels[i] == test.labels[image]]
        return sorted(same, key=lambda i: -sure[i]).index(image), -sure[image]

    assert correct == sorted(right, key=place)[:count]
