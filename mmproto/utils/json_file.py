"""JSON that somebody else may have written, read with a limit and checked against dataclasses."""

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from mmproto.errors import InputError
from mmproto.utils.data_file import check_data_file

MOST_BYTES = 64 * 2**20  # a record of a prototype has 600
WORDS = {int: 'a whole number', float: 'a number', str: 'a text', bool: 'true or false'}


def read_json(file: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: If there is no such file, or it is no JSON, or too large.
    """
    try:
        check_data_file(file, MOST_BYTES)
        data = json.loads(file.read_text(encoding='utf-8'))
        json.dumps(data, ensure_ascii=False).encode()  # half a character cannot be shown
    except OSError as error:
        raise InputError(f'{file} cannot be read ({error.strerror})') from None
    except (ValueError, RecursionError) as error:
        raise InputError(f'{file} is no JSON, or damaged ({error}): save it again') from None
    return data


def parsed(kind: Any, value: Any, name: str) -> Any:
    """Return a value that was read as what a type hint says.

    Args:
        kind: A dataclass, or a hint of numbers, texts, ``None``, lists, tuples and dicts of them.
        value: What the file has.
        name: Where, for messages.

    Raises:
        InputError: If it is something else, or a field of a dataclass is missing; those that it
            has not are left out.
    """
    if is_dataclass(kind):
        return _parsed_fields(kind, value, name)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (other,) = (one for one in inner if one is not types.NoneType)
        return None if value is None else parsed(other, value, name)
    if origin in (list, tuple) and isinstance(value, list):
        kinds = inner * len(value) if origin is list else inner
        if len(kinds) == len(value):
            items = zip(kinds, value)
            return origin(parsed(*item, f'{name}[{i}]') for i, item in enumerate(items))
    if origin is dict and isinstance(value, dict):
        return {key: parsed(inner[1], one, f'{name}.{key[:40]}') for key, one in value.items()}
    if type(value) is kind or (kind is float and type(value) is int and abs(value) < 2**1000):
        return kind(value)
    words = WORDS.get(kind, 'a list' if origin in (list, tuple) else 'an object')
    raise InputError(f'{name} takes {words}, not {json.dumps(value)[:80]}')


def _parsed_fields(kind: Any, value: Any, name: str) -> Any:
    if not isinstance(value, Mapping):
        raise InputError(f'{name} takes an object, not {json.dumps(value)[:80]}')
    known = {one.name for one in fields(kind)}
    needed = {
        one.name
        for one in fields(kind)
        if one.default is MISSING and one.default_factory is MISSING
    }
    if needed - value.keys():
        raise InputError(f'{name} misses {", ".join(sorted(needed - value.keys()))}')
    hints = get_type_hints(kind)
    given = {key: one for key, one in value.items() if key in known}
    return kind(**{key: parsed(hints[key], one, f'{name}.{key}') for key, one in given.items()})
