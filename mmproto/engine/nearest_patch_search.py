"""Walks a data set and finds the patches of a push, on one process or several."""

from typing import Any

from torch.utils.data import DataLoader

from mmproto.datasets.checks import numbered_class
from mmproto.engine.allowed_patches import allowed_patches
from mmproto.engine.fixed_batches import Images, gather_processes, map_images
from mmproto.errors import InputError
from mmproto.functional import NearestPatch, NearestPatches, different_patches
from mmproto.models import ProtoPNet

NO_IMAGES = 'the push set has no image of them, or the network gives numbers that are not finite'
FORBIDDEN = (
    'all patches of their images are forbidden; apply the edits anew with smaller radii, or '
    'without only_on_objects'
)
TOO_FEW = (
    'their images have fewer patches than the class has prototypes, those that edits forbid left '
    'out, or the network gives numbers that are not finite'
)


def find_nearest_patches(model: ProtoPNet, dataloader: DataLoader) -> NearestPatch:
    """Find each prototype's nearest patch among the images of its class in a data set.

    One pass over the data; nothing is held but one patch a prototype. Every process takes its
    share of the data and gets the same result, which does not depend on the number of processes,
    the batch size or the number of workers. What a person has forbidden is left out, see
    :class:`AllowedPatches`.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`, in eval mode.
        dataloader: Images without augmentation, in the order of the data set.

    Raises:
        InputError: If the images differ in size, or a prototype has no patch to go to.
    """
    allowed = allowed_patches(model, dataloader.dataset)

    def search(images: Images) -> NearestPatch:
        return model.head.nearest_patches(
            [images.features],
            images.labels,
            images.numbers,
            None if allowed is None else allowed(images),
        )

    mine = NearestPatch.merge_all(map_images(search, model, dataloader, 'push'))
    nearest = NearestPatch.merge_all(gather_processes(mine))
    _refuse_lost(nearest, model, dataloader.dataset, NO_IMAGES if allowed is None else FORBIDDEN)
    return nearest


def find_different_patches(model: ProtoPNet, dataloader: DataLoader) -> NearestPatch:
    """Find for each prototype of a class another patch, so that together they move the least.

    Like :func:`find_nearest_patches`, but as many patches a prototype are held as a class has
    prototypes; see :func:`mmproto.functional.different_patches`.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`, in eval mode.
        dataloader: Images without augmentation, in the order of the data set.

    Raises:
        InputError: If the images differ in size, or a class has fewer patches than prototypes.
    """
    head = model.head
    allowed = allowed_patches(model, dataloader.dataset)
    most = int(head.prototype_class.unique(return_counts=True)[1].max())

    def search(images: Images) -> NearestPatches:
        return head.nearest_few_patches(
            [images.features],
            images.labels,
            images.numbers,
            most,
            None if allowed is None else allowed(images),
        )

    mine = NearestPatches.merge_all(map_images(search, model, dataloader, 'push'))
    candidates = NearestPatches.merge_all(gather_processes(mine))
    nearest = different_patches(candidates, head.prototype_class)
    _refuse_lost(nearest, model, dataloader.dataset, TOO_FEW)
    return nearest


def _refuse_lost(nearest: NearestPatch, model: ProtoPNet, dataset: Any, reason: str) -> None:
    lost = ~nearest.distance.isfinite()
    if lost.any():
        classes = sorted(set(model.head.prototype_class[lost].tolist()))
        named = ', '.join(numbered_class(dataset, label) for label in classes[:5])
        raise InputError(
            f'no patch was found for prototypes of {len(classes)} classes, {named} to begin '
            f'with: {reason}'
        )
