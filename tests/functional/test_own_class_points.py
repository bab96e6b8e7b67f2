import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmproto.functional import own_class_points


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.integers(0, 999))
def test_it_agrees_with_a_plain_loop(images, classes, prototypes, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(images, prototypes, generator=generator)
    weight = torch.randn(classes, prototypes, generator=generator)
    prototype_class = torch.randint(-1, classes, (prototypes,), generator=generator)
    points, fraction = own_class_points(scores, weight, prototype_class)
    for i in range(images):
        for label in range(classes):
            each = [float(scores[i, j] * weight[label, j]) for j in range(prototypes)]
            own = [each[j] for j in range(prototypes) if prototype_class[j] == label]
            assert float(points[i, label]) == pytest.approx(sum(own), abs=1e-4)
            expected = sum(map(abs, own)) / sum(map(abs, each))
            assert float(fraction[i, label]) == pytest.approx(expected, abs=1e-4)


def test_no_points_are_no_fraction_and_prototypes_without_a_class_are_nobodys():
    weight = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    points, fraction = own_class_points(torch.ones(1, 2), weight, torch.tensor([-1, 1]))
    assert points.tolist() == [[0, 0]]
    assert fraction.tolist() == [[0, 0]]
