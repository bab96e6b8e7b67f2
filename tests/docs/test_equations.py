"""Every function and every test that the page names is there."""

import re
from importlib import import_module
from inspect import isfunction

import mmproto.functional
from tests.docs.code_blocks import DOCS

PAGE = (DOCS / 'equations.md').read_text()
ROWS = [
    [cell.strip() for cell in line.strip('|').split(' | ')]
    for line in PAGE.splitlines()
    if line.startswith('|') and not line.startswith(('| what |', '|---'))
]


def quoted(cell):
    return re.findall('`([^`]+)`', cell)


def found(name):
    """What a name stands for, as Python finds it: a function wins over the module of its name."""
    path, value = 'mmproto', mmproto
    for part in name.split('.')[1:]:
        path = f'{path}.{part}'
        value = getattr(value, part) if hasattr(value, part) else import_module(path)
    return value


def test_every_row_names_a_function_and_a_test():
    assert len(ROWS) > 20
    for row in ROWS:
        assert len(row) == 4, row
        functions, tests = quoted(row[2]), quoted(row[3])
        assert functions, row
        assert tests, row
        for name in functions:
            assert callable(found(name)), name
        for name in tests:
            file, _, function = name.partition('::')
            assert f'\ndef {function}(' in (DOCS.parent / file).read_text(), name


def test_no_function_is_left_out():
    named = {name for row in ROWS for name in quoted(row[2])}
    names = mmproto.functional.__all__
    functions = [name for name in names if isfunction(getattr(mmproto.functional, name))]
    assert functions
    missing = [name for name in functions if f'mmproto.functional.{name}' not in named]
    assert not missing, f'docs/equations.md has no row for {missing}'
