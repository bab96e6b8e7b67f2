"""Which images of a folder are held out to validate with."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from mmproto.datasets.folder_layout import LabelledImage
from mmproto.errors import InputError


def held_out(images: Iterable[LabelledImage], share: float, seed: int) -> set[str]:
    """Return the names of the images to validate with: of every label a share, at least one.

    Images of one group stay together. A group's place in the draw is a hash of its name and the
    seed: whatever the order, the machine or the process, the split is the same, and hardly changes
    when images are added. In this order a group is held out if that brings the labels nearer to
    their shares; a label that gets no image so gets the smallest group that it can spare, if there
    is one. A label that one image has alone asks for nothing.
    """
    members: dict[str, list[LabelledImage]] = defaultdict(list)
    for image in images:
        members[image.group or image.name].append(image)
    counts = Counter(image.label for group in members.values() for image in group)
    goal = {n: min(max(round(share * all_), 1), all_ - 1) for n, all_ in counts.items() if all_ > 1}
    order = sorted(members, key=lambda name: hashlib.sha256(f'{seed} {name}'.encode()).digest())
    labels = {
        name: Counter(image.label for image in members[name] if image.label in goal)
        for name in order
    }
    drawn: set[str] = set()
    held: Counter[Any] = Counter()

    def spared(name: str) -> bool:
        return all(held[n] + more < counts[n] for n, more in labels[name].items())

    def gain(name: str) -> int:
        return sum(
            abs(held[n] - goal[n]) - abs(held[n] + more - goal[n])
            for n, more in labels[name].items()
        )

    for name in order:
        if gain(name) > 0 and spared(name):
            drawn.add(name)
            held += labels[name]
    for n in sorted(goal):
        free = [name for name in order if labels[name][n] and spared(name)]
        if not held[n] and free:
            smallest = min(free, key=lambda name: len(members[name]))
            drawn.add(smallest)
            held += labels[smallest]
    return {image.name for name in drawn for image in members[name]}


def check_both_sides(
    images: Iterable[LabelledImage], drawn: set[str], classes: tuple[str, ...]
) -> None:
    """Raise an InputError for a class of which no image, or each, is held out."""
    names: list[list[str]] = [[] for _ in classes]
    for image in images:
        names[image.label].append(image.name)
    for of_class, class_name in zip(names, classes):
        if len(of_class) < 2:
            raise InputError(
                f'class {class_name} has one image ({of_class[0]}), which cannot be both trained '
                'and validated: add another or remove the class'
            )
        if not 0 < len(drawn.intersection(of_class)) < len(of_class):
            raise InputError(
                f'the images of class {class_name} are of too few groups (dataset.group, or '
                'copies of one file) to be both trained and validated: add images or remove the '
                'class'
            )


def balanced(images: list[LabelledImage], seed: int) -> list[LabelledImage]:
    """Return the images, those of rarer classes again, so that all classes have equally many."""
    of_class: dict[int, list[LabelledImage]] = defaultdict(list)
    for image in images:
        of_class[image.label].append(image)
    most = max(map(len, of_class.values()), default=0)
    result = []
    for own in of_class.values():
        whole, rest = divmod(most, len(own))
        drawn = sorted(own, key=lambda i: hashlib.sha256(f'{seed} {i.name}'.encode()).digest())
        result += own * whole + drawn[:rest]
    return result
