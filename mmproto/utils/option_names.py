"""Answers misspelt names of settings with what was meant."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from mmproto.errors import InputError

# Alike enough for a slip of the finger, as 'schedul' is; 'train_cfg' is not to be 'test_cfg'.
ALIKE = 0.85


def check_names(config: Mapping[str, Any], options: Iterable[str]) -> None:
    """Check the names of settings that are to change a config.

    A config may get new settings; one is refused if its name is nearly that of another beside it.

    Args:
        config: The config, before it is changed.
        options: Names such as ``optim_wrapper.schedule.epochs``, of list items by their numbers.

    Raises:
        InputError: If a name seems to be misspelt; it says what was probably meant.
    """
    for option in options:
        place: Any = config
        parts = option.split('.')
        for i, part in enumerate(parts):
            if isinstance(place, list | tuple) and part.isdecimal() and int(part) < len(place):
                place = place[int(part)]
            elif not isinstance(place, Mapping):
                break
            elif part in place:
                place = place[part]
            elif near := get_close_matches(part, map(str, place), n=1, cutoff=ALIKE):
                meant = '.'.join([*parts[:i], *near, *parts[i + 1 :]])
                raise InputError(
                    f'--cfg-options {option}: no config has {".".join(parts[: i + 1])}; did you '
                    f'mean {meant}? A new name so like another can be set in a config file alone'
                )
            else:
                break
