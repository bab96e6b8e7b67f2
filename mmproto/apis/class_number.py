import difflib
from collections.abc import Sequence

from mmproto.errors import InputError


def class_number(classes: Sequence[str], name: str | int) -> int:
    """Find a class by its name, with or without underscores, or by its number.

    Raises:
        InputError: If there is no such class, with the nearest names.
    """
    names = [one.replace('_', ' ') for one in classes]
    wanted = str(name).replace('_', ' ')
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
    raise InputError(
        f'there is no class {name!r}: give a name or a number from 0 to {len(names) - 1}'
        f'{"; nearest: " + ", ".join(near) if near else ""}'
    )
