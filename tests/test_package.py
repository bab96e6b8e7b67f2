import subprocess
import sys

NO_MMCV = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'mmcv':
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Without())
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == 'mmcv' else find(name, *rest)
import mmproto
"""


def test_a_missing_mmcv_is_named_with_the_command_to_type():
    done = subprocess.run(
        [sys.executable, '-c', NO_MMCV], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'mmproto[lite]'" in done.stderr.splitlines()[-1]
