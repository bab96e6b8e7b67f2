"""Lists of pictures: a text file with a line `path label` for each of them."""

import os.path as osp

from mmengine import list_from_file

from mmproto.errors import InputError

ANNOTATIONS = 'annotations.txt'


def annotation_path(data_root: str, ann_file: str) -> str:
    """The list of pictures: `ann_file`, or annotations.txt if there is one; '' for none."""
    path = osp.join(data_root, ann_file or ANNOTATIONS)
    if osp.isfile(path):
        return path
    if ann_file:
        raise InputError(f'ann_file={ann_file}: there is no file {path}')
    return ''


def read_annotations(path: str) -> list[tuple[str, str, int]]:
    """Where it stands ('file, line n'), picture and label of every line `path label`."""
    rows, seen = [], set()
    try:
        lines = list_from_file(path)
    except UnicodeDecodeError:
        raise InputError(f'{path}: this is no text in UTF-8; save it as such') from None
    for n, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f'{path}, line {n}'
        picture, _, label = line.strip().rpartition(' ')
        if not (picture and label.isdecimal()):
            raise InputError(
                f"{where}: expected 'path label', the label a whole number from 0 on, but found "
                f'{line!r}; correct the line'
            )
        picture = picture.strip()
        if picture in seen:
            raise InputError(f'{where}: {picture} was listed before; keep one of the two lines')
        seen.add(picture)
        rows.append((where, picture, int(label)))
    if not rows:
        raise InputError(f'{path} lists no picture; give one line "path label" for each')
    return rows


def annotated_classes(data_root: str, path: str) -> tuple[str, ...]:
    """Names of the classes, a line each of classes.txt if it is there, else the labels."""
    rows = read_annotations(path)
    names_file = osp.join(data_root, 'classes.txt')
    labels = {label for _, _, label in rows}
    if osp.isfile(names_file):
        names = tuple(name.strip() for name in list_from_file(names_file) if name.strip())
        for where, _, label in rows:
            if label >= len(names):
                raise InputError(
                    f'{where}: label {label} is not among the {len(names)} classes of '
                    f'{names_file}, counted from 0; correct the line or add the class'
                )
    else:
        names = tuple(str(label) for label in range(max(labels) + 1))
    for label, name in enumerate(names):
        if label not in labels:
            raise InputError(f'{path}: no picture has label {label} ({name}); add one')
    if len(names) < 2:
        raise InputError(f'{path} has one class only, but at least two are needed')
    return names
