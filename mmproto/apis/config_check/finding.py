"""What a check says of a config, and the nearest name to a misspelt one."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

ALIKE = 0.6
VERY_ALIKE = 0.75  # where names are free, and one is not to be taken for another misspelt
SHOWN = 8  # names of what is taken, where none is like the one given
LONGEST = 60


class Finding(NamedTuple):
    """Something in a config that cannot be, or does nothing.

    Attributes:
        setting: Its full name, such as ``optim_wrapper.stages.joint.neck.lr``, items of lists by
            their numbers; '' where the message names it.
        message: What is wrong with it, and what to do.
    """

    setting: str
    message: str

    def __str__(self) -> str:
        if not self.setting or self.setting in self.message:
            return self.message
        return f'{self.setting}: {self.message}'


def valued(setting: str, value: Any) -> str:
    """Return a setting with its value, if that is short: ``lr=-1``."""
    text = repr(value)
    return setting if len(text) > LONGEST else f'{setting}={text}'


def nearest(name: object, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """Return the known name that is most like a name, whatever the case of its letters."""
    by_letters = {one.lower(): one for one in sorted(known)}
    near = get_close_matches(str(name).lower(), by_letters, n=1, cutoff=alike)
    return by_letters[near[0]] if near else None


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Say which known name is most like a name, or which there are."""
    names: Sequence[str] = sorted(known)
    if near := nearest(name, names):
        return f'did you mean {near}?'
    more = ', ...' if len(names) > SHOWN else ''
    return f'it takes {", ".join(names[:SHOWN])}{more}' if names else 'it takes nothing'
