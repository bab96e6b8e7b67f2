"""What a person has decided of a model's prototypes, as a file."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from mmproto.errors import InputError
from mmproto.models.heads.prototype_names import encode_name
from mmproto.utils.json_file import read_json

NUMBER = re.compile('0|[1-9][0-9]{0,8}')
GREATEST_RADIUS = torch.finfo(torch.float32).max


@dataclass(frozen=True)
class Forbidden:
    """A patch that no later push may choose.

    Attributes:
        prototype: Number of the prototype that is this patch now.
        radius: Distance, as the model's similarity measures it, up to which other patches are
            left out as well; 0 for none.
    """

    prototype: int
    radius: float = 0.0


@dataclass(frozen=True)
class Edits:
    """What to change of a model. Numbers of prototypes are those before the edit.

    .. code:: json

        {"model": "<fingerprint>", "checkpoint": "epoch_26.pth", "remove": [3, 17],
         "forbid": [{"prototype": 3, "radius": 0.0}], "only_on_objects": false,
         "names": {"5": "red beak"}}

    Only ``model`` and ``checkpoint`` have to be there.

    Attributes:
        model: The :func:`fingerprint` of the head that the numbers are of.
        checkpoint: What its file is called.
        remove: Prototypes to take away.
        forbid: Patches that no later push may choose.
        only_on_objects: Whether later pushes leave out what is outside the objects' boxes.
        names: Names of prototypes by their numbers; '' takes a name away.
    """

    model: str
    checkpoint: str
    remove: tuple[int, ...] = ()
    forbid: tuple[Forbidden, ...] = ()
    only_on_objects: bool = False
    names: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> 'Edits':
        """Read the edits of a file, and check every field.

        Raises:
            InputError: If there is no such file, or something in it is not as described here.
        """
        data = read_json(file)
        try:
            return _edits(data)
        except InputError as error:
            raise InputError(f'{file}: {error}') from None

    def in_words(self) -> list[str]:
        """Say what is decided, a line each."""
        lines = []
        if self.names:
            named = (f'{number} is {name!r}' for number, name in sorted(self.names.items()))
            lines.append(f'Names: {", ".join(named)}')
        if self.forbid:
            patches = ', '.join(
                f'{one.prototype} (and within {one.radius:g})' if one.radius else f'{one.prototype}'
                for one in self.forbid
            )
            lines.append(f'Forbidden: the patches of prototypes {patches}')
        if self.only_on_objects:
            lines.append("Forbidden: patches outside the objects' boxes")
        if self.remove:
            lines.append(f'Removed: prototypes {", ".join(map(str, sorted(set(self.remove))))}')
        return lines or ['Nothing is decided']


def _edits(data: Any) -> Edits:
    fields = _fields(data, 'the file', {'model', 'checkpoint'}, set(Edits.__dataclass_fields__))
    for name in ('model', 'checkpoint'):
        _check(isinstance(fields[name], str) and fields[name], name, 'a text', fields[name])
    remove, forbid = fields.get('remove', []), fields.get('forbid', [])
    _check(isinstance(remove, list), 'remove', 'a list of numbers of prototypes', remove)
    _check(isinstance(forbid, list), 'forbid', 'a list', forbid)
    only_on_objects, names = fields.get('only_on_objects', False), fields.get('names', {})
    _check(isinstance(only_on_objects, bool), 'only_on_objects', 'true or false', only_on_objects)
    _check(isinstance(names, dict), 'names', 'an object', names)
    return Edits(
        model=fields['model'],
        checkpoint=fields['checkpoint'],
        remove=tuple(_number(each, 'remove') for each in remove),
        forbid=tuple(map(_forbidden, forbid)),
        only_on_objects=only_on_objects,
        names={_key(key): _name(name, key) for key, name in names.items()},
    )


def _fields(data: Any, what: str, needed: set[str], known: set[str]) -> dict[str, Any]:
    _check(isinstance(data, dict), what, 'an object', data)
    for wrong, problem in ((needed - data.keys(), 'misses'), (data.keys() - known, 'has unknown')):
        if wrong:
            raise InputError(
                f'{what} {problem} {", ".join(sorted(wrong))}: it takes {", ".join(sorted(known))}'
            )
    return data


def _forbidden(data: Any) -> Forbidden:
    fields = _fields(data, 'an entry of forbid', {'prototype'}, {'prototype', 'radius'})
    radius = fields.get('radius', 0.0)
    _check(
        type(radius) in (int, float) and 0 <= radius <= GREATEST_RADIUS,
        'forbid.radius',
        'a number, at least 0',
        radius,
    )
    return Forbidden(_number(fields['prototype'], 'forbid.prototype'), float(radius))


def _number(value: Any, name: str) -> int:
    _check(type(value) is int and value >= 0, name, 'numbers of prototypes, from 0', value)
    return value


def _key(text: str) -> int:
    _check(NUMBER.fullmatch(text), 'names', 'numbers of prototypes, from 0', text)
    return int(text)


def _name(value: Any, key: str) -> str:
    _check(isinstance(value, str), f'names.{key}', 'a text', value)
    encode_name(value)
    return value


def _check(holds: object, name: str, expected: str, found: Any) -> None:
    if not holds:
        raise InputError(f'{name} takes {expected}, not {json.dumps(found)[:80]}')
