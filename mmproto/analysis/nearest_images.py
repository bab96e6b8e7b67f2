"""Where prototypes are seen: the images with their nearest patches, and the boxes around these."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmproto.analysis.dataset_scores import DatasetScores, feature_maps
from mmproto.analysis.model_report import ImagePatch
from mmproto.explanation.high_activation import high_activation_box, upsample
from mmproto.functional import Box

Boxes = dict[tuple[int, int], Box]


def nearest_images(score: np.ndarray, k: int) -> np.ndarray:
    """The k images (P, k) whose nearest patch is nearest to each prototype, the nearest first.

    Args:
        score: Score of every prototype on every image (N, P).
        k: How many; fewer if there are fewer images. Of equals the first of the data set wins.
    """
    return np.argsort(-score, axis=0, kind='stable')[:k].T


def boxes_of(head: nn.Module, features: Tensor, prototypes: list[int], size: tuple) -> list[Box]:
    """Boxes of some prototypes in an image's input of that size, by its feature map (D, H', W')."""
    maps = head.similarity_maps([features[None]])[0, prototypes].cpu().numpy()
    return [high_activation_box(upsample(one, size)) for one in maps]


@torch.no_grad()
def find_boxes(
    model: nn.Module,
    dataset: Dataset,
    wanted: Iterable[tuple[int, int]],
    batch_size: int,
    name: str = 'boxes',
) -> Boxes:
    """The box of a prototype on an image, for every pair that is wanted.

    Each image goes through the network once more, whatever the number of its prototypes.

    Args:
        model: A classifier with a ``ProtoPNetHead``, in eval mode.
        dataset: The data set.
        wanted: Pairs of an image and a prototype.
        batch_size: How many images go through at once.
        name: What the progress bar is called.

    Returns:
        The box in the network's input (top, bottom, left, right) by pair.
    """
    of_image = defaultdict(set)
    for image, prototype in wanted:
        of_image[int(image)].add(int(prototype))
    found = {}
    for images, features, size in feature_maps(model, dataset, sorted(of_image), batch_size, name):
        for image, one in zip(images, features):
            prototypes = sorted(of_image[image])
            boxes = boxes_of(model.head, one, prototypes, size)
            found.update(((image, j), box) for j, box in zip(prototypes, boxes))
    return found


def nearest_sightings(
    survey: DatasetScores, k: int, boxes: Boxes, split: str
) -> list[list[ImagePatch]]:
    """For every prototype its k nearest patches, one an image, the nearest first.

    Args:
        survey: The scores.
        k: How many.
        boxes: Boxes, among them those of the patches.
        split: 'train' or 'test', whatever was surveyed.
    """
    return [
        [
            ImagePatch(
                split=split,
                image=int(image),
                label=int(survey.label[image]),
                similarity=float(survey.score[image, prototype]),
                box=boxes[int(image), prototype],
            )
            for image in images
        ]
        for prototype, images in enumerate(nearest_images(survey.score, k))
    ]
