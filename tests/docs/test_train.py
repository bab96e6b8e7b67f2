"""The training from Python, as the page shows it."""

import shutil

import numpy as np
import pytest
from PIL import Image

from tests.docs.code_blocks import DOCS, code_blocks

FOLDER = 'configs/protopnet/resnet34_folder.py'
QUICK = f"""
_base_ = '{DOCS.parent / FOLDER}'
model = dict(backbone=dict(pretrained=False))
optim_wrapper = dict(
    schedule=dict(_delete_=True, warm_epochs=0, epochs=1, push_epochs=[0], last_layer_epochs=1)
)
train_dataloader = dict(batch_size=8, num_workers=0, dataset=dict(least=1))
push_dataloader = dict(num_workers=0)
val_dataloader = dict(num_workers=0)
"""


@pytest.fixture
def images(tmp_path):
    """Two classes of images in noise of their own colour."""
    root, rng = tmp_path / 'my data' / 'images', np.random.default_rng(0)
    for channel, name in enumerate(('red', 'green')):
        (root / name).mkdir(parents=True)
        for number in range(5):
            image = rng.integers(0, 100, (40, 50, 3), dtype=np.uint8)
            image[..., channel] += 100
            Image.fromarray(image).save(root / name / f'{number}.png')
    return root


@pytest.mark.slow
def test_the_training_from_python_runs(images, tmp_path, monkeypatch):
    for variable in ('DATA_ROOT', 'SCALE'):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'quick.py').write_text(QUICK)
    shutil.copy(images / 'red' / '0.png', tmp_path / 'bird.jpg')
    (code,) = code_blocks('train.md', 'From Python')
    for name, path in {FOLDER: 'quick.py', 'data/birds': images}.items():
        assert name in code
        code = code.replace(name, str(path))
    assert len([line for line in code.splitlines() if line]) <= 10
    names = {}
    exec(code, names)  # noqa: S102
    assert names['cfg'].model.backbone.model_name == 'resnet18'
    assert names['inferencer'].classes == ['green', 'red']
    assert bool(names['inferencer'].model.head.prototypes_are_patches)
    assert {path.name for path in (tmp_path / 'why').iterdir()} == {
        'bird.html', 'bird.json', 'bird.png'
    }  # fmt: skip
