import re
import shutil
import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import mmpretrain
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.apis import ImageClassificationInferencer, ModelHub

import mmproto
from mmproto.model_index import index_root, register_models

ROOT = Path(__file__).parents[1]
# Configs for images of one's own count the classes in a folder, which an index has none of.
CONFIGS = sorted(
    path
    for path in (ROOT / 'configs' / 'protopnet').glob('*.py')
    if not path.stem.endswith('_folder')
)
NAMES = [f'protopnet_{config.stem}' for config in CONFIGS]
BARE = dict(backbone=dict(pretrained=False))
IMAGE = np.zeros((60, 80, 3), dtype=np.uint8)


def test_every_leaf_config_has_an_entry_and_vice_versa():
    assert mmpretrain.list_models('*protopnet*') == sorted(NAMES)
    for name, config in zip(NAMES, CONFIGS):
        entry = ModelHub.get(name)
        assert entry.config.filename == str(config)
        assert entry.weights is None
        assert [result.task for result in entry.results] == ['Image Classification']
    assert mmpretrain.list_models('resnet18*'), "MMPretrain's own models are still there"


def test_registering_again_does_no_harm():
    register_models()
    assert index_root() == ROOT


def test_the_index_has_no_mistakes():
    from modelindex.load_model_index import load

    index = load(str(ROOT / 'model-index.yml'))
    index.build_models_with_collections()
    assert index.check(silent=True) == []


def test_a_model_is_built_by_its_name():
    model = mmpretrain.get_model('protopnet_resnet10t_birds')
    assert type(model.head).__name__ == 'ProtoPNetHead'
    model = mmpretrain.get_model('protopnet_resnet34_cub', **BARE)
    assert model.head.prototype_vectors.shape == (2000, 256, 1, 1)
    assert model.data_preprocessor.mean is not None


def test_weights_that_there_are_not_are_warned_about():
    with pytest.warns(UserWarning, match='Unable to find pre-defined checkpoint'):
        mmpretrain.get_model('protopnet_resnet10t_birds', pretrained=True)


@pytest.mark.parametrize('name', ['protopnet_vgg19_cub_full', 'protopnet_vgg19_cub'])
def test_a_image_is_classified_by_a_models_name_and_checkpoint(tmp_path, name):
    small = dict(backbone=dict(pretrained=False, model_name='resnet10t'))
    model = mmpretrain.get_model(name, **small)
    checkpoint = tmp_path / 'model.pth'
    meta = dict(dataset_meta=dict(classes=[f'bird {label}' for label in range(200)]))
    torch.save(dict(meta=meta, state_dict=model.state_dict()), checkpoint)
    model = mmpretrain.get_model(name, pretrained=str(checkpoint), **small)

    result = mmpretrain.inference_model(model, IMAGE)
    assert result['pred_class'] == f'bird {result["pred_label"]}'
    again = ImageClassificationInferencer(name, pretrained=str(checkpoint), **small)(IMAGE)[0]
    assert again['pred_label'] == result['pred_label']
    assert again['pred_score'] == pytest.approx(result['pred_score'])


INSTALLED = """
import mmproto, mmpretrain
import mmproto
from mmproto.model_index import index_root
print(index_root())
print(*mmpretrain.list_models('*protopnet*'))
model = mmpretrain.get_model('protopnet_resnet10t_birds')
print(model._config.filename)
"""


def check_metadata(folder):
    metadata = PathDistribution(folder).metadata
    assert metadata['Version'] == mmproto.__version__
    for name in ('Author', 'Summary', 'Keywords', 'Classifier', 'Project-URL', 'License-File'):
        assert metadata[name], name
    assert metadata['License-Expression'] == 'Apache-2.0'
    assert metadata['Description-Content-Type'] == 'text/markdown'
    # an index has no files of the repository to lead a link or an image to
    targets = re.findall(r'\]\(([^)]*)\)', metadata.get_payload())
    assert targets
    assert all(target.startswith('https://') for target in targets)


@pytest.mark.slow
def test_a_wheel_has_its_configs_without_the_repository(tmp_path):
    source, site = tmp_path / 'source', tmp_path / 'site'
    source.mkdir()
    for folder in ('mmproto', 'configs', 'tools'):
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / folder, source / folder, ignore=ignored)
    (source / 'docs').mkdir()
    for file in (
        'mmproto_command.py',
        'setup.py',
        'pyproject.toml',
        'LICENSE',
        'docs/pypi.md',
        'model-index.yml',
    ):
        shutil.copy(ROOT / file, source / file)

    def python(*arguments, **environment):
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=tmp_path,
            env=environment or None,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pip = ('-m', 'pip', '--disable-pip-version-check')
    python(*pip, 'wheel', '--no-deps', '--no-build-isolation', '-w', tmp_path, source)
    python(*pip, 'install', '--no-deps', '--target', site, *tmp_path.glob('mmproto-*.whl'))
    shutil.rmtree(source)

    text = python('-c', INSTALLED, PYTHONPATH=str(site))
    mim = site / 'mmproto' / '.mim'
    root, names, *_, config = text.splitlines()
    assert Path(root) == mim
    assert names.split() == sorted(NAMES)
    assert Path(config) == mim / 'configs' / 'protopnet' / 'resnet10t_birds.py'
    assert Config.fromfile(config).model.head.num_classes == 12
    templates = Path('mmproto', 'visualization', 'templates')
    assert {path.name for path in (site / templates).iterdir()} == {
        path.name for path in (ROOT / templates).iterdir()
    }
    assert (site / 'mmproto' / 'py.typed').is_file()
    check_metadata(next(site.glob('mmproto-*.dist-info')))
    command = ('-m', 'mmproto_command')
    assert 'Train a ProtoPNet' in python(*command, '--help', PYTHONPATH=str(site))
    assert (site / 'bin' / 'mmproto').is_file()
    options = 'from mmproto.apis.load_config import find_config as f; print(f("{}"))'
    found = python('-c', options.format('protopnet/vgg19_cub.py'), PYTHONPATH=str(site))
    assert found.split()[-1] == str(mim / 'configs' / 'protopnet' / 'vgg19_cub.py')
    assert 'usage' in python(mim / 'tools' / 'test.py', '--help', PYTHONPATH=str(site))
