"""A module imports from its own room and from those below it, never from one above."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'mmproto'
# From the lowest room to the highest; those of one line do not know each other.
FLOORS = [
    ['errors'],
    ['functional', 'utils'],
    ['compat', 'registry', 'model_index'],
    ['models'],
    ['datasets'],
    ['engine'],
    ['explanation'],
    ['evaluation'],
    ['analysis'],
    ['visualization'],
    ['apis'],
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# What the command lines share knows their subject.
ABOVE_ALL = {'utils/command_line.py'}


def room_of(module):
    return module.split('.')[1]


def imported_modules(file):
    for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
        if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('mmproto.'):
            yield node.module
        elif isinstance(node, ast.ImportFrom) and node.module == 'mmproto':
            yield from (f'mmproto.{alias.name}' for alias in node.names)


FILES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for path in PACKAGE.rglob('*.py')
    if path.parent != PACKAGE or path.stem in FLOOR_OF
)


@pytest.mark.parametrize('name', [name for name in FILES if name not in ABOVE_ALL])
def test_nothing_is_imported_from_above(name):
    room = name.split('/')[0].removesuffix('.py')
    for module in imported_modules(PACKAGE / name):
        other = room_of(module)
        assert other == room or FLOOR_OF[other] < FLOOR_OF[room], f'{name} imports {module}'


def test_every_room_has_a_floor():
    rooms = {name.split('/')[0].removesuffix('.py') for name in FILES}
    assert rooms == {*FLOOR_OF}
