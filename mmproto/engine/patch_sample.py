"""Draws patches of every class from a data set, equally from its images."""

from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dist import all_gather_object
from torch import Tensor
from torch.utils.data import DataLoader

from mmproto.datasets.checks import all_labels
from mmproto.engine.fixed_batches import Images, map_images
from mmproto.functional import of_class, unfold_patches
from mmproto.models import ProtoPNet

# Patches whose cells lie on the border of a map are left out where this many cells are across.
INNER_CELLS = 5


class PatchSample(NamedTuple):
    """Patches of a data set, in the order of their images.

    Attributes:
        patches: The patches (M, C, h, w).
        classes: Which classes the image of each has, bool (M, C).
        images: Index in the data set of the image that each is part of (M,).
        locations: Row and column of each in its map (M, 2).
    """

    patches: Tensor
    classes: Tensor
    images: Tensor
    locations: Tensor


def sample_patches(
    model: ProtoPNet, dataloader: DataLoader, stage: str, per_class: int
) -> PatchSample:
    """Draw patches of every class, the same on any number of processes.

    One pass over the data. Which patches of an image are drawn depends on the image's number
    alone. Patches on the border of the map are left out where it is large enough: there a network
    sees its own padding.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`, in eval mode.
        dataloader: Images without augmentation, in the order of the data set.
        stage: Whose maps: 'backbone' or 'neck'.
        per_class: About how many patches of each class.
    """
    dataset: Any = dataloader.dataset
    numbers = torch.arange(model.head.num_classes)
    counts = torch.as_tensor(all_labels(dataset)[1]).bincount(minlength=len(numbers))
    height, width = model.head.prototype_vectors.shape[-2:]

    def draw(images: Images) -> PatchSample:
        windows = unfold_patches(images.features, (height, width))
        columns = images.features.shape[-1] - width + 1
        inner = _inner(windows.shape[1] // columns, columns)
        classes = of_class(images.labels.cpu(), numbers)
        parts = []
        for window, row, number in zip(windows, classes, images.numbers.tolist()):
            generator = torch.Generator().manual_seed(number)
            rarest = min(counts[row].tolist(), default=len(dataset))
            quota = max(1, per_class // rarest)
            drawn = inner[torch.randperm(len(inner), generator=generator)[:quota]].sort().values
            parts.append(
                PatchSample(
                    window[drawn].unflatten(1, (-1, height, width)).cpu(),
                    row.expand(len(drawn), -1),
                    torch.full((len(drawn),), number),
                    torch.stack([drawn // columns, drawn % columns], dim=1),
                )
            )
        return _joined(parts)

    mine = _joined(list(map_images(draw, model, dataloader, 'patches', stage)))
    sample = _joined(all_gather_object(mine))
    places = torch.cat([sample.images[:, None], sample.locations], dim=1)
    # Samplers give some images to two processes.
    _, first = np.unique(places.numpy(), axis=0, return_index=True)
    return PatchSample(*(values[first] for values in sample))


def _inner(rows: int, columns: int) -> Tensor:
    """Row-major numbers of the patches that do not lie on the border."""
    numbers = torch.arange(rows * columns).view(rows, columns)
    if rows >= INNER_CELLS:
        numbers = numbers[1:-1]
    if columns >= INNER_CELLS:
        numbers = numbers[:, 1:-1]
    return numbers.flatten()


def _joined(parts: list[PatchSample]) -> PatchSample:
    return PatchSample(*(torch.cat(values) for values in zip(*parts)))
