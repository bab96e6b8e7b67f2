"""Figures that speak for a prototype, or against it."""

from collections import defaultdict

import numpy as np
from torch import nn

from mmproto.analysis.dataset_scores import DatasetScores
from mmproto.analysis.model_report import fires_among
from mmproto.visualization.prototype_images import patch_keys


def firing_shares(survey: DatasetScores, prototype_class: np.ndarray) -> np.ndarray:
    """How often prototypes fire: are among the most activated ones of an image.

    Args:
        survey: Scores of N test images.
        prototype_class: Class of every prototype (P,), -1 for none.

    Returns:
        For every prototype the share of the images of its own class on which it fires, and the
        share of all other images: (2, P); not a number where there is no such image.
    """
    count = fires_among(len(prototype_class), survey.logit.shape[1])
    fires = np.zeros(survey.score.shape, bool)
    np.put_along_axis(fires, survey.most_activated[:, :count], True, axis=1)
    own = survey.label[:, None] == prototype_class
    return np.stack([_share(fires, own), _share(fires, ~own)])


def _share(fires: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Share (P,) of the images of a choice (N, P) on which prototypes fire (N, P)."""
    count = among.sum(axis=0)
    share = np.full(len(count), np.nan)
    return np.divide((fires & among).sum(axis=0), count, out=share, where=count > 0)


def strongest_classes(weight: np.ndarray, prototype_class: np.ndarray) -> np.ndarray:
    """The class (P,) to whose logit each prototype adds most; its own if no other gets more.

    Args:
        weight: Weight of every prototype in the logit of every class (K, P).
        prototype_class: Class of every prototype (P,), -1 for none.
    """
    own = np.arange(len(weight))[:, None] == prototype_class
    return np.where(own & (weight == weight.max(axis=0)), np.inf, weight).argmax(axis=0)


def twins(head: nn.Module) -> list[list[int]]:
    """For every prototype the others of its class that are the same patch of the same image.

    One that has never been pushed is no patch and has none.
    """
    patches = [key[:4] for key in patch_keys(head)]
    members = defaultdict(list)
    for prototype, patch in enumerate(patches):
        members[patch].append(prototype)
    return [
        [other for other in members[patch] if other != prototype and patch[1] >= 0]
        for prototype, patch in enumerate(patches)
    ]


def own_patches(head: nn.Module, pushed: DatasetScores) -> list[tuple[int, int]]:
    """Image and number of every prototype that has been pushed.

    Empty if the surveyed images are not those of the push: if most prototypes are not most similar
    to the patch that the push has noted for them.
    """
    own = [(image, j) for j, image in enumerate(head.prototype_image.tolist()) if image >= 0]
    if not own or max(own)[0] >= len(pushed.label):
        return []
    images, prototypes = np.array(own).T
    location = head.prototype_location.cpu().numpy()[prototypes]
    in_place = (pushed.cell[images, prototypes] == location).all(axis=1)
    return own if in_place.mean() > 0.5 else []


def confusion(survey: DatasetScores) -> np.ndarray:
    """How many images of each class (rows) are predicted to be of each (columns): (K, K)."""
    classes = survey.logit.shape[1]
    pairs = survey.label * classes + survey.predicted
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
