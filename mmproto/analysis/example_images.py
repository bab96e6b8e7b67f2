"""Which test images to explain as examples."""

from itertools import groupby

import numpy as np

from mmproto.analysis.dataset_scores import DatasetScores


def example_images(test: DatasetScores, count: int) -> tuple[list[int], list[int]]:
    """Choose images that are classified correctly, spread over the classes, and mistakes.

    Args:
        test: The scores of the test images.
        count: How many of each kind at most.

    Returns:
        Of the correct ones the most confident of every class, then the second of every class and
        so on; of the mistakes the most confident.
    """
    ranked = np.argsort(-test.confidence, kind='stable')
    correct = (test.predicted == test.labels)[ranked]
    by_class = sorted(ranked[correct], key=lambda image: test.labels[image])
    groups = groupby(by_class, key=lambda image: test.labels[image])
    places = {image: place for _, group in groups for place, image in enumerate(group)}
    right = sorted(ranked[correct], key=places.__getitem__)
    return [int(i) for i in right[:count]], [int(i) for i in ranked[~correct][:count]]
