"""Lists of images: a text file with a line `path label` for each of them.

An image may have several labels, `path label,label`, or none, `path -`.
Behind the label a tab and the name of a group may follow, such as that of a patient.
"""

import os
import os.path as osp

from mmengine import list_from_file

from mmproto.errors import InputError

ANNOTATIONS = 'annotations.txt'
NO_LABEL = '-'


def annotation_path(data_root: str, ann_file: str) -> str:
    """Return the list of images: `ann_file`, or annotations.txt if there is one; '' for none."""
    path = osp.join(data_root, ann_file or ANNOTATIONS)
    if osp.isfile(path):
        return path
    if ann_file:
        raise InputError(f'ann_file={ann_file}: there is no file {path}')
    return ''


def read_lines(path: str) -> list[str]:
    """Return the lines of a text in UTF-8; a byte order mark before them is not seen."""
    try:
        return list_from_file(path, encoding='utf-8-sig')
    except UnicodeDecodeError:
        raise InputError(f'{path}: this is no text in UTF-8; save it as such') from None


def read_annotations(path: str) -> list[tuple[str, str, tuple[int, ...]]]:
    """Where it stands ('file, line n'), image and labels, ascending, of every line."""
    rows = []
    for n, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        where = f'{path}, line {n}'
        image, _, text = line.partition('\t')[0].strip().rpartition(' ')
        labels = () if text == NO_LABEL else text.split(',')
        if not (image and all(label.isdecimal() for label in labels)):
            raise InputError(
                f"{where}: expected 'path label', the label a whole number from 0 on, but found "
                f'{line!r}; correct the line'
            )
        rows.append((where, image.strip(), tuple(sorted(set(map(int, labels))))))
    if not rows:
        raise InputError(f'{path} lists no image; give one line "path label" for each')
    return rows


def named_images(path: str, folder: str) -> dict[str, tuple[int, ...]]:
    """Labels of every listed image by its path below `folder`, the same for every spelling.

    Raises:
        InputError: A line is broken, or its image is missing, was listed before, or is given
            by an absolute path out of the folder, by which each machine would split differently.
    """
    named = {}
    for where, image, labels in read_annotations(path):
        name = image_name(image, folder)
        if osp.isabs(image) and name.startswith('../'):
            raise InputError(f'{where}: {image} is not in {folder}; give a path below that')
        if not osp.isfile(osp.join(folder, name)):
            raise InputError(
                f'{where}: there is no image {osp.join(folder, name)}; correct the line'
            )
        if name in named:
            raise InputError(f'{where}: {name} was listed before; keep one of the two lines')
        named[name] = labels
    return named


def image_name(image: str, folder: str) -> str:
    """Return the path of a listed image below the folder, the same for every spelling."""
    return osp.relpath(osp.join(folder, image), folder).replace(os.sep, '/')


def annotated_groups(path: str, folder: str) -> dict[str, str]:
    """Group of every listed image by its name, what stands behind a tab; empty if none has one.

    Raises:
        InputError: An image has none while others have.
    """
    rows = [line.partition('\t') for line in read_lines(path) if line.strip()]
    if not any(group.strip() for _, _, group in rows):
        return {}
    for n, (line, _, group) in enumerate(rows, start=1):
        if not group.strip():
            raise InputError(
                f'{path}: image {n} ({line.strip()}) has no group, but others have one behind a '
                'tab; give every image one'
            )
    return {
        image_name(line.strip().rpartition(' ')[0].strip(), folder): group.strip()
        for line, _, group in rows
    }


def annotated_classes(data_root: str, path: str) -> tuple[str, ...]:
    """Names of the classes, a line each of classes.txt if it is there, else the labels."""
    rows = read_annotations(path)
    names_file = osp.join(data_root, 'classes.txt')
    labels = {label for _, _, some in rows for label in some}
    names = None
    if osp.isfile(names_file):
        names = tuple(name.strip() for name in read_lines(names_file) if name.strip())
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(f'{names_file} names two classes {twice[0]}: give each its own name')
        for where, _, some in rows:
            label = max(some, default=0)
            if label >= len(names):
                raise InputError(
                    f'{where}: label {label} is not among the {len(names)} classes of '
                    f'{names_file}, counted from 0; correct the line or add the class'
                )
    count = max(labels, default=-1) + 1 if names is None else len(names)
    for label in range(count):
        if label not in labels:
            name = label if names is None else names[label]
            raise InputError(f'{path}: no image has label {label} ({name}); add one')
    names = names or tuple(map(str, range(count)))
    if len(names) < 2:
        raise InputError(f'{path} has one class only, but at least two are needed')
    return names
