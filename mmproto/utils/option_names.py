"""Answers misspelt names of settings with what was meant."""

from collections.abc import Container, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

# Alike enough for a slip of the finger, as 'schedul' is; 'train_cfg' is not to be 'test_cfg'.
ALIKE = 0.85


def misspelt_names(
    config: Mapping[str, Any], options: Iterable[str], sections: Container[str]
) -> dict[str, str]:
    """Find misspelt names among settings that are to change a config.

    A section may get new settings; one is misspelt if its name is nearly that of another beside it.

    Args:
        config: The config, before it is changed.
        options: Names such as ``optim_wrapper.schedule.epochs``, of list items by their numbers.
        sections: What is read of a config; anything else in it is a variable of the file.

    Returns:
        For each that seems to be misspelt, or that nothing reads, what is wrong with it: what was
        probably meant.
    """
    found = {option: _what_is_wrong(config, option, sections) for option in options}
    return {option: line for option, line in found.items() if line is not None}


def _what_is_wrong(config: Mapping[str, Any], option: str, sections: Container[str]) -> str | None:
    """Say what is wrong with the name of a setting, if anything."""
    parts = option.split('.')
    section = parts[0]
    if section in config and section not in sections:
        others = {name: value for name, value in config.items() if name != section}
        if used := _place_of(section, config[section], others):
            return (
                f'--cfg-options {option} has no effect: {section} is a variable of the config '
                f'file, which has been read; set it where it is used, such as {used}'
            )
    place: Any = config
    for i, part in enumerate(parts):
        if isinstance(place, list | tuple):
            if not (part.isdecimal() and int(part) < len(place)):
                return (
                    f'--cfg-options {option}: {".".join(parts[:i])} is a list of {len(place)}: '
                    'name one of its items by its number from 0, or set the whole list'
                )
            place = place[int(part)]
        elif not isinstance(place, Mapping):
            return (
                f'--cfg-options {option}: {".".join(parts[:i])} is {place!r}, no dict to set '
                'something in; give it one in a config file'
            )
        elif part in place:
            place = place[part]
        elif near := get_close_matches(part, map(str, place), n=1, cutoff=ALIKE):
            meant = '.'.join([*parts[:i], *near, *parts[i + 1 :]])
            return (
                f'--cfg-options {option}: no config has {".".join(parts[: i + 1])}; did you '
                f'mean {meant}? A new name so like another can be set in a config file alone'
            )
        elif not i and part not in sections:
            return f'--cfg-options {option} has no effect: nothing reads {part}'
        else:
            break
    return None


def _place_of(name: str, value: Any, config: Any) -> str | None:
    """Return where a variable's value stands in a config; a single one under its name alone."""
    items = enumerate(config) if isinstance(config, list | tuple) else config.items()
    single = not isinstance(value, Mapping | list | tuple)
    for key, one in items:
        if one == value and (key == name or not single):
            return str(key)
        deeper = isinstance(one, Mapping | list | tuple) and _place_of(name, value, one)
        if deeper:
            return f'{key}.{deeper}'
    return None
