import subprocess
import sys

import pytest

BEFORE = 'import mmproto\n'
AFTER = """
from mmpretrain.registry import DATASETS, TRANSFORMS
for registry in (DATASETS, TRANSFORMS):
    registry.get('CUB')
import mmproto
"""
ASK = """
from mmpretrain.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
print(*(found and found.__module__.split('.')[0] for found in (
    DATASETS.get('AnnotatedCUB'), HOOKS.get('PrototypePushHook'), MODELS.get('ProtoPNetHead'),
    TRANSFORMS.get('CropToBox'), HOOKS.get('PrototypeVisualizationHook'),
    HOOKS.get('ExplanationHook'),
    METRICS.get('OwnClassPoints'), MODELS.get('mmpretrain.ResNet'), DATASETS.get('CUB'),
)))
"""


@pytest.mark.parametrize('imports', [BEFORE, AFTER], ids=['before', 'after'])
def test_registries_find_our_classes_whether_asked_before_or_after_the_import(imports):
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', imports + ASK],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ['mmproto'] * 7 + ['mmpretrain'] * 2
