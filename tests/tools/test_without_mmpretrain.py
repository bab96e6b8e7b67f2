"""The command lines in a Python without MMPretrain and what it stands on."""

import subprocess
import sys

import pytest

from tests.command import ROOT

HIDE = """
import importlib.util, runpy, sys

HIDDEN = {'mmcv', 'mmengine', 'mmpretrain'}
found = importlib.util.find_spec

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in HIDDEN:
            raise ModuleNotFoundError(f'No module named {name!r}')

importlib.util.find_spec = lambda name, *rest: None if name in HIDDEN else found(name, *rest)
sys.meta_path.insert(0, Hide())
sys.argv = [sys.argv[1], '--help']
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.mark.parametrize('tool', sorted(path.name for path in (ROOT / 'tools').glob('*.py')))
def test_a_tool_says_what_to_install(tool):
    done = subprocess.run(
        [sys.executable, '-c', HIDE, f'tools/{tool}'],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        (line,) = done.stderr.splitlines()
        assert "pip install 'mmproto[lite]'" in line
    else:  # it waits with its imports, so as to answer at once
        assert done.stdout.startswith('usage: ')
