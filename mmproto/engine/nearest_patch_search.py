"""Walks a data set and finds every prototype's nearest patch, on one process or several."""

from typing import Any

from torch.utils.data import DataLoader

from mmproto.datasets.checks import numbered_class
from mmproto.engine.allowed_patches import allowed_patches
from mmproto.engine.fixed_batches import Images, gather_processes, map_images
from mmproto.errors import InputError
from mmproto.functional import NearestPatch
from mmproto.models import ProtoPNet


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
    dataset: Any = dataloader.dataset
    allowed = allowed_patches(model, dataset)

    def search(images: Images) -> NearestPatch:
        return model.head.nearest_patches(
            [images.features],
            images.labels,
            images.numbers,
            None if allowed is None else allowed(images),
        )

    mine = NearestPatch.merge_all(map_images(search, model, dataloader, 'push'))
    nearest = NearestPatch.merge_all(gather_processes(mine))
    lost = ~nearest.distance.isfinite()
    if lost.any():
        classes = sorted(set(model.head.prototype_class[lost].tolist()))
        named = ', '.join(numbered_class(dataset, label) for label in classes[:5])
        reason = (
            'the push set has no image of them, or the network gives numbers that are not finite'
            if allowed is None
            else 'all patches of their images are forbidden; apply the edits anew with smaller '
            'radii, or without only_on_objects'
        )
        raise InputError(
            f'no patch was found for prototypes of {len(classes)} classes, {named} to begin '
            f'with: {reason}'
        )
    return nearest
