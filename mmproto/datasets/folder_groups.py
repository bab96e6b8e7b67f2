"""Images that belong together, such as those of one patient, and so to one side of a split."""

import re
from collections.abc import Mapping, Sequence

from mmproto.datasets.file_copies import copies
from mmproto.datasets.folder_layout import LabelledImage
from mmproto.errors import InputError


def group_pattern(text: str) -> re.Pattern:
    """Compile the regular expression that finds the group in an image's name.

    Raises:
        InputError: It is none.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise InputError(f'dataset.group={text}: this is no regular expression ({error})') from None


def group_of(name: str, pattern: re.Pattern) -> str:
    """Return the group that an image's name says: the expression's first group, or its match.

    Raises:
        InputError: It says none.
    """
    match = pattern.search(name)
    group = match and match[1 if pattern.groups else 0]
    if not group:
        raise InputError(
            f'dataset.group={pattern.pattern} finds no group in {name}: every image needs one'
        )
    return group


def grouped(
    images: Sequence[LabelledImage], pattern: str, listed: Mapping[str, str]
) -> list[LabelledImage]:
    """Return the images with their groups: as listed by name, or by an expression, or with none.

    Raises:
        InputError: An image has none, or groups are given in both ways.
    """
    if pattern and listed:
        raise InputError(
            f'dataset.group={pattern}: the list of images has a column of groups already; remove '
            'one of the two'
        )
    if listed:
        return [image._replace(group=listed[image.name]) for image in images]
    if pattern:
        compiled = group_pattern(pattern)
        return [image._replace(group=group_of(image.name, compiled)) for image in images]
    return [*images]


def with_copies(images: Sequence[LabelledImage]) -> list[LabelledImage]:
    """Return the images with one group for all groups that share a file, byte for byte.

    An image without a group is one by itself.
    """
    group = {image.path: image.group or image.name for image in images}
    joined: dict[str, str] = {}

    def found(name: str) -> str:
        while name in joined:
            name = joined[name]
        return name

    for paths in copies(group):
        first, *others = sorted({found(group[path]) for path in paths})
        joined.update(dict.fromkeys(others, first))
    return [image._replace(group=found(group[image.path])) for image in images]


def check_apart(folders: Mapping[str, Sequence[LabelledImage]]) -> None:
    """Raise an InputError that names a group with images in two folders."""
    seen: dict[str, tuple[str, LabelledImage]] = {}
    for folder, images in folders.items():
        for image in images:
            first, other = seen.setdefault(image.group, (folder, image))
            if first != folder:
                raise InputError(
                    f'the group {image.group} (dataset.group) is on two sides: {other.path} and '
                    f'{image.path}; move its images to one'
                )
