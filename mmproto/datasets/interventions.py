"""Images drawn again with one thing changed, as ``make_birds.py --interventions`` writes them.

Beside ``images`` such a folder has ``part_masks``, whose pixels are the number of the part that is
in sight, from 1, the next number where the background is, or something else; and in
``interventions`` the folders ``without/PART``, ``swapped/PART`` and ``background``, each with an
image of the same path. Some images are also in
``without/PART+PART`` and so on for every set of parts, and ``variants.txt`` says what the parts of
each class are.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from mmproto.datasets.geometry import Geometry
from mmproto.datasets.object_masks import picture_in_input

FOLDER, MASKS = 'interventions', 'part_masks'
CHANGES = ('without', 'swapped')


class Interventions(NamedTuple):
    """An image changed, as the data set gives it.

    Attributes:
        part_mask: Number of the part at each pixel of the network's input (H, W), from 1.
        without: The images without each part, uint8 (C, H, W) each.
        swapped: The images with another of each part.
        background: The image with another background.
        without_set: Gives the image without some parts, one or more: bool (parts,). None for an
            image that was not drawn without every set.
    """

    part_mask: np.ndarray
    without: list[Tensor]
    swapped: list[Tensor]
    background: Tensor
    without_set: Callable[[np.ndarray], Tensor] | None


def changed_parts(root: str) -> list[str]:
    """Return the parts that a folder has interventions of, in the order of their numbers."""
    file = Path(root) / FOLDER / 'swapped.txt'
    if not file.is_file():
        return []
    return list(dict.fromkeys(line.split()[1] for line in file.read_text().splitlines()))


def has_interventions(dataset: Any) -> bool:
    """Whether a data set has its images with one thing changed."""
    return bool(changed_parts(getattr(dataset, 'data_root', '') or '')) and hasattr(
        dataset, 'pipeline'
    )


def has_part_sets(dataset: Any) -> bool:
    """Whether a data set has some of its images without every set of parts."""
    return has_interventions(dataset) and _variants_file(dataset).is_file()


def class_variants(dataset: Any) -> np.ndarray:
    """Return which variant of each part a class has: names (classes, parts).

    Args:
        dataset: A data set for which :func:`has_part_sets` is true.
    """
    lines = _variants_file(dataset).read_text().splitlines()
    return np.array([line.split()[2] for line in lines]).reshape(
        -1, len(changed_parts(dataset.data_root))
    )


def interventions(dataset: Any, image: int, geometry: Geometry) -> Interventions:
    """Load the interventions of an image, through the data set's pipeline.

    Args:
        dataset: A data set for which :func:`has_interventions` is true.
        image: Index of the image.
        geometry: See :func:`mmproto.datasets.geometry.image_geometry`.
    """
    root = Path(dataset.data_root)
    info = dataset.get_data_info(image)
    file = Path(info['img_path']).relative_to(dataset.img_prefix)
    parts = changed_parts(dataset.data_root)

    def load(folder: str) -> Tensor:
        path = str(root / FOLDER / folder / file)
        return dataset.pipeline({**dataset.get_data_info(image), 'img_path': path})['inputs']

    def without_set(removed: np.ndarray) -> Tensor:
        return load('without/' + '+'.join(part for part, gone in zip(parts, removed) if gone))

    without, swapped = ([load(f'{change}/{part}') for part in parts] for change in CHANGES)
    has_sets = (root / FOLDER / 'without' / '+'.join(parts) / file).is_file()
    return Interventions(
        part_mask=picture_in_input(str(root / MASKS / file.with_suffix('.png')), geometry),
        without=without,
        swapped=swapped,
        background=load('background'),
        without_set=without_set if has_sets else None,
    )


def _variants_file(dataset: Any) -> Path:
    return Path(dataset.data_root) / FOLDER / 'variants.txt'
