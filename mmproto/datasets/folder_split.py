"""Which images of a folder are held out to validate with."""

import hashlib
from collections.abc import Iterable

from mmproto.datasets.folder_layout import LabelledImage
from mmproto.errors import InputError


def held_out(
    images: Iterable[LabelledImage], classes: tuple[str, ...], share: float, seed: int
) -> set[str]:
    """Return the names of the images to validate with: of every class a share, at least one.

    An image's place in the draw is a hash of its name and the seed: whatever the order, the
    machine or the process, the split is the same, and hardly changes when images are added.
    """
    names: list[list[str]] = [[] for _ in classes]
    for image in images:
        names[image.label].append(image.name)
    drawn = set()
    for of_class, class_name in zip(names, classes):
        if len(of_class) < 2:
            raise InputError(
                f'class {class_name} has one image ({of_class[0]}), which cannot be both trained '
                'and validated: add another or remove the class'
            )
        of_class.sort(key=lambda name: hashlib.sha256(f'{seed} {name}'.encode()).digest())
        drawn.update(of_class[: min(max(round(share * len(of_class)), 1), len(of_class) - 1)])
    return drawn
