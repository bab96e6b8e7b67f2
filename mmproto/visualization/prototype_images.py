"""What the prototypes look like: the images of a push, or else the training images."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch

from mmproto.datasets.image_dataset import ImageDataset
from mmproto.engine.push_record import epoch_folders
from mmproto.errors import InputError
from mmproto.explanation.attribution import attribute
from mmproto.explanation.prototype_maps import prototype_maps
from mmproto.functional import Box
from mmproto.models import ProtoPNet, ProtoPNetHead
from mmproto.visualization.drawing import draw_box, heat_map, in_bgr
from mmproto.visualization.saved_prototypes import saved_image, saved_prototypes


@dataclass(frozen=True)
class PrototypeImages:
    """Images (height, width, 3) of a prototype, uint8, in BGR order.

    Attributes:
        image: The training image that it is a patch of, with a box around the patch.
        crop: What is in the box.
        heat: How similar every place of that image is to the prototype.
    """

    image: np.ndarray
    crop: np.ndarray
    heat: np.ndarray


class Gallery(Protocol):
    """Images of the prototypes; ``origin`` says in a sentence where they come from."""

    origin: str

    def images(self, prototype: int) -> PrototypeImages | None:
        """Return the images of a prototype, None if there are none."""

    def path(self, prototype: int) -> str | None:
        """Return the file of the training image that it is a patch of, if it is known."""


def patch_keys(head: ProtoPNetHead) -> list[tuple]:
    """For each prototype its class, its training patch and the distance of its push."""
    rows = zip(
        head.prototype_class.tolist(),
        head.prototype_image.tolist(),
        head.prototype_location.tolist(),
        head.prototype_distance.tolist(),
    )
    return [(label, image, *location, distance) for label, image, location, distance in rows]


class SavedImages:
    """The images that a push has written.

    They are found by class, patch and distance, not by number, so that pruning does not mix them.

    Args:
        head: The head whose prototypes they are.
        folder: What ``write_prototypes`` has written.

    Raises:
        InputError: If the folder is none of a push, or of the push of another model.
    """

    def __init__(self, head: ProtoPNetHead, folder: Path) -> None:
        records = {
            (one.class_index, one.image_index, *one.location, one.distance): one
            for one in saved_prototypes(folder)
        }
        keys = patch_keys(head)
        if not all(key in records for key in keys):
            raise InputError(f'{folder} shows the prototypes of another push than this model has')
        self.records = [records[key] for key in keys]
        if not any(folder.glob('*_crop.jpg')):
            raise InputError(f'{folder} has no images of the prototypes any more')
        self.folder = folder
        self.origin = f'Prototypes are shown by the images saved at the push, in {folder}.'

    def images(self, prototype: int) -> PrototypeImages | None:
        """Read them; None if they are gone."""
        number = self.records[prototype].prototype
        image, crop, heat = (
            saved_image(self.folder, number, part) for part in ('image', 'crop', 'heat')
        )
        if image is None or crop is None or heat is None:
            return None
        return PrototypeImages(image, crop, heat)

    def path(self, prototype: int) -> str | None:
        """As the push noted it."""
        return self.records[prototype].image


class TrainingImages:
    """The training images themselves, each run through the network once more.

    Args:
        model: The classifier, in eval mode.
        dataset: The push set.
        attribution: What finds the boxes and heat maps, one of ``ATTRIBUTIONS``.
    """

    origin = 'Prototypes are shown on the training images, as the network sees them now.'

    def __init__(
        self, model: ProtoPNet, dataset: ImageDataset, attribution: str = 'upsampling'
    ) -> None:
        self.model = model
        self.dataset = dataset
        self.attribution = attribution

    @torch.no_grad()
    def images(self, prototype: int) -> PrototypeImages | None:
        """Draw them; None if the data set has not the image that the prototype is a patch of."""
        head = self.model.head
        index = int(head.prototype_image[prototype])
        if not 0 <= index < len(self.dataset):
            return None
        inputs = self.dataset[index]['inputs']
        data = self.model.data_preprocessor({'inputs': [inputs]}, training=False)
        outputs = head.outputs(self.model.extract_feat(data['inputs']))
        image = input_image(self.dataset, index)
        found = outputs.locations[0, prototype]
        if head.prototypes_are_patches and not found.equal(head.prototype_location[prototype]):
            return None
        maps = prototype_maps(head, outputs, [prototype])
        ((activation, box),) = attribute(self.attribution, self.model, data['inputs'][0], maps)
        return draw_prototype(image, activation, box)

    def path(self, prototype: int) -> str | None:
        """As the data set says."""
        index = int(self.model.head.prototype_image[prototype])
        known = 0 <= index < len(self.dataset)
        return self.dataset.get_data_info(index).get('img_path') if known else None


class NoImages:
    """For a model whose training images are gone, and the images of its push as well."""

    origin = (
        'There are no images of the prototypes: the images of the push are not beside the '
        "checkpoint, and the config's push_dataloader finds no training images."
    )

    def images(self, prototype: int) -> None:
        """None."""

    def path(self, prototype: int) -> None:
        """None."""


def draw_prototype(image: np.ndarray, activation: np.ndarray, box: Box) -> PrototypeImages:
    """Draw a prototype.

    Args:
        image: The training image that it is a patch of (height, width, 3), uint8, BGR.
        activation: Similarity of every pixel to it (height, width).
        box: The part of the image that it is.
    """
    return PrototypeImages(
        image=draw_box(image, box),
        crop=image[box.top : box.bottom, box.left : box.right],
        heat=heat_map(image, activation),
    )


def input_image(dataset: ImageDataset, index: int) -> np.ndarray:
    """Return what the network gets of an image, uint8, as an image (H, W, 3) in OpenCV's order.

    Pipelines load files in that order; what a data set holds in memory is taken for RGB.
    """
    image = np.ascontiguousarray(dataset[index]['inputs'].permute(1, 2, 0).numpy())
    if image.shape[2] == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return in_bgr(image) if 'img' in dataset.get_data_info(index) else image


def push_folders(checkpoint: Path) -> Iterator[Path]:
    """Folders beside a checkpoint in which a push may have left images, the latest first."""
    beside = checkpoint.parent
    yield from (checkpoint.with_name(f'{checkpoint.stem}_prototypes'), beside / 'prototypes')
    yield from reversed(epoch_folders(beside).values())


def find_saved(head: ProtoPNetHead, folders: Iterable[Path]) -> SavedImages | None:
    """Return the first of the folders that shows this head's prototypes."""
    for folder in folders:
        try:
            return SavedImages(head, folder)
        except InputError:
            continue
    return None
