"""Images drawn again with one thing changed, as ``make_birds.py --interventions`` writes them.

Beside ``images`` such a folder has ``part_masks``, whose pixels are the number of the part that is
in sight, from 1, or something else; and in ``interventions`` the folders ``without/PART``,
``swapped/PART`` and ``background``, each with an image of the same path.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from mmproto.datasets.object_masks import picture_in_input

FOLDER, MASKS = 'interventions', 'part_masks'
CHANGES = ('without', 'swapped')


class Interventions(NamedTuple):
    """An image changed in one thing at a time, as the data set gives it.

    Attributes:
        part_mask: Number of the part at each pixel of the network's input (H, W), from 1.
        without: The images without each part, uint8 (C, H, W) each.
        swapped: The images with another of each part.
        background: The image with another background.
    """

    part_mask: np.ndarray
    without: list[Tensor]
    swapped: list[Tensor]
    background: Tensor


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


def interventions(dataset: Any, image: int) -> Interventions:
    """Load the interventions of an image, through the data set's pipeline.

    Args:
        dataset: A data set for which :func:`has_interventions` is true.
        image: Index of the image.
    """
    root = Path(dataset.data_root)
    info = dataset.get_data_info(image)
    file = Path(info['img_path']).relative_to(dataset.img_prefix)

    def load(folder: Path) -> Tensor:
        path = str(root / FOLDER / folder / file)
        return dataset.pipeline({**dataset.get_data_info(image), 'img_path': path})['inputs']

    parts = changed_parts(dataset.data_root)
    without, swapped = ([load(Path(change) / part) for part in parts] for change in CHANGES)
    mask = str(root / MASKS / file.with_suffix('.png'))
    return Interventions(
        picture_in_input(dataset, image, mask), without, swapped, load(Path('background'))
    )
