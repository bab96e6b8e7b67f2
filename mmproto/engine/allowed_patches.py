"""Which patches a push may choose, where a person has forbidden some."""

import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from mmproto.datasets.map_dataset import images_of
from mmproto.datasets.object_boxes import box_in_input, has_boxes
from mmproto.engine.fixed_batches import BATCH_SIZE, Images, map_images
from mmproto.errors import InputError
from mmproto.models import ProtoPNet, ProtoPNetHead

Result = TypeVar('Result')


class AllowedPatches:
    """Says of the patches of a batch which ones a push may choose.

    Left out are the forbidden patches; every patch within the radius of one, as the network embeds
    both now; and, if only objects count, the patches whose centre is outside the object's box, as
    far as the data set has boxes. Cells divide the input evenly: the centre of row i of H is at
    (i + 1/2) / H of the height.

    Args:
        model: The classifier, in eval mode.
        dataset: The push set.
    """

    def __init__(self, model: ProtoPNet, dataset: Any) -> None:
        self.head, self.images = model.head, images_of(dataset)
        self.forbidden = model.head.forbidden_patch
        around = model.head.forbidden_radius > 0
        self.radii = model.head.forbidden_radius[around]
        self.centres = _embedded(model, dataset, self.forbidden[around])
        self.on_objects = bool(model.head.only_on_objects) and has_boxes(self.images)
        self.input_size = self.images[0]['inputs'].shape[-2:]

    def __call__(self, images: Images) -> Tensor:
        """Return the patches that may be chosen, bool (N, L), row-major."""
        patches = self.head.patches([images.features])
        allowed = torch.ones(patches.shape[:2], dtype=torch.bool, device=patches.device)
        of_batch, which = _same(images.numbers, self.forbidden[:, 0])
        allowed[of_batch, _patch_numbers(self.head, images, self.forbidden[which, 1:])] = False
        if self.on_objects:
            for one, number in zip(allowed, images.numbers.tolist()):
                one &= self._on_object(number, images.features.shape[-2:]).to(one)
        if len(self.radii):
            # Each image by itself: the same to the bit however they are spread over batches.
            for one, of_image in zip(allowed, patches):
                one &= ~(self.head.distances(of_image, self.centres) <= self.radii).any(dim=1)
        return allowed

    def _on_object(self, image: int, map_size: tuple[int, ...]) -> Tensor:
        """Return which patches of an image have their centre in its box, bool (L,)."""
        top, bottom, left, right = box_in_input(self.images, image)
        inside = []
        for axis, (first, last) in enumerate(((top, bottom), (left, right))):
            cells, side = map_size[axis], self.head.prototype_vectors.shape[2 + axis]
            centres = (torch.arange(cells - side + 1) + side / 2) * self.input_size[axis] / cells
            inside.append((first <= centres) & (centres < last))
        return (inside[0][:, None] & inside[1]).flatten()


def allowed_patches(model: ProtoPNet, dataset: Any) -> AllowedPatches | None:
    """Return what tells the allowed patches of a push set, None where nothing is forbidden."""
    if not len(model.head.forbidden_patch) and not model.head.only_on_objects:
        return None
    return AllowedPatches(model, dataset)


def check_forbidden(head: ProtoPNetHead, dataset: Any) -> None:
    """Check that a data set can be the one of the forbidden patches; warn if it lacks boxes.

    Raises:
        InputError: If a forbidden patch is of an image that the data set does not have.
    """
    last = max(head.forbidden_patch[:, 0].tolist(), default=-1)
    if last >= len(dataset):
        raise InputError(
            f'push_dataloader.dataset has {len(dataset)} images, but a patch of image {last} is '
            'forbidden: the checkpoint was edited with other training images; go on with those'
        )
    if head.only_on_objects and not has_boxes(dataset):
        print_log(
            'Prototypes are to lie on objects, but push_dataloader.dataset has no boxes: a push '
            'may choose any place of an image.',
            logger='current',
            level=logging.WARNING,
        )


def standing_on_forbidden(model: ProtoPNet, dataset: Any, num_workers: int = 0) -> list[int]:
    """Return the prototypes whose own patch is forbidden, and which a push will move.

    Args:
        model: The classifier, in eval mode, with prototypes that are patches.
        dataset: The push set.
        num_workers: How many processes load the images.
    """
    allowed = allowed_patches(model, dataset)
    if allowed is None:
        return []
    head = model.head

    def standing(images: Images) -> list[int]:
        of_batch, which = _same(images.numbers, head.prototype_image)
        patch = _patch_numbers(head, images, head.prototype_location[which])
        return which[~allowed(images)[of_batch, patch]].tolist()

    found = _map_some(standing, model, dataset, head.prototype_image, num_workers)
    return sorted(number for numbers in found for number in numbers)


def _embedded(model: ProtoPNet, dataset: Any, places: Tensor) -> Tensor:
    """Patches by image, row and column (R, 3), as the network embeds them now: (R, K)."""
    vectors = model.head.prototype_vectors.flatten(1)
    embedded = vectors.new_empty(len(places), vectors.shape[1], dtype=torch.float32)

    def embed(images: Images) -> None:
        of_batch, which = _same(images.numbers, places[:, 0])
        patch = _patch_numbers(model.head, images, places[which, 1:])
        embedded[which] = model.head.patches([images.features])[of_batch, patch]

    for _ in _map_some(embed, model, dataset, places[:, 0]):
        pass
    return embedded


def _map_some(
    function: Callable[[Images], Result],
    model: ProtoPNet,
    dataset: Any,
    images: Tensor,
    num_workers: int = 0,
) -> Iterator[Result]:
    """Like :func:`map_images`, of some images of a data set alone, all of them on each process."""
    chosen = images.unique()
    if not len(chosen):
        return
    dataloader: DataLoader = DataLoader(
        Subset(dataset, chosen.tolist()),
        batch_size=BATCH_SIZE,
        num_workers=num_workers,
        collate_fn=pseudo_collate,
    )

    def of_chosen(some: Images) -> Result:
        return function(some._replace(numbers=chosen[some.numbers]))

    yield from map_images(of_chosen, model, dataloader, 'forbidden patches')


def _same(ours: Tensor, theirs: Tensor) -> tuple[Tensor, ...]:
    """Return the places in two vectors of all pairs of equal numbers."""
    return (ours[:, None] == theirs).nonzero(as_tuple=True)


def _patch_numbers(head: ProtoPNetHead, images: Images, locations: Tensor) -> Tensor:
    """Row-major numbers of patches by row and column (M, 2).

    Raises:
        InputError: If the feature maps have no such patch.
    """
    height, width = images.features.shape[-2:]
    h, w = head.prototype_vectors.shape[-2:]
    size = locations.new_tensor([height - h + 1, width - w + 1])
    if not (locations < size).all():
        raise InputError(
            f'patches in row and column {locations.amax(dim=0).tolist()} are forbidden, but a '
            f'feature map has {size.tolist()} of them: the checkpoint was edited with images of '
            'another size; go on with that'
        )
    return locations[:, 0] * size[1] + locations[:, 1]
