"""The comparison of a ProtoPNet with its baseline, on small rendered birds."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import save_checkpoint
from mmpretrain import get_model
from mmpretrain.models import LinearClsHead
from PIL import Image

from mmproto.apis.classifier import load_classifier
from mmproto.apis.compare_attention import check_baseline, check_comparison, compare_attention
from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.datasets.birds import make_birds
from mmproto.errors import InputError
from mmproto.visualization.attention_figure import WIDTH

ROOT = Path(__file__).parents[2]
CONFIGS = {kind: f'configs/{kind}/resnet10t_birds.py' for kind in ('protopnet', 'baseline')}


@pytest.fixture(scope='module')
def birds(tmp_path_factory):
    return make_birds(tmp_path_factory.mktemp('data') / 'birds', train=1, test=1, size=64)


@pytest.fixture(scope='module')
def configs(birds):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('DATA_ROOT', str(birds))
        return {kind: Config.fromfile(ROOT / path) for kind, path in CONFIGS.items()}


@pytest.fixture(scope='module')
def checkpoints(configs, tmp_path_factory):
    """Untrained weights of both networks."""
    init_default_scope('mmpretrain')
    folder = tmp_path_factory.mktemp('work')
    torch.manual_seed(0)
    for kind, config in configs.items():
        weights = dict(state_dict=get_model(config).state_dict(), meta={})
        save_checkpoint(weights, str(folder / f'{kind}.pth'))
    return {kind: str(folder / f'{kind}.pth') for kind in configs}


@pytest.fixture(scope='module')
def networks(configs, checkpoints):
    return (
        ProtoPNetInferencer(configs['protopnet'], checkpoints['protopnet']),
        load_classifier(configs['baseline'], checkpoints['baseline']),
    )


@pytest.fixture(scope='module')
def image(birds):
    return str(sorted((birds / 'images').glob('*/*.jpg'))[0])


@pytest.fixture
def photo(tmp_path):
    """A photo that no data set knows, not square."""
    path = tmp_path / 'photo.jpg'
    Image.effect_noise((150, 90), 80).convert('RGB').save(path)
    return str(path)


def test_a_row_for_each_image(networks, image, photo):
    one = compare_attention(*networks, [photo])
    two = np.asarray(compare_attention(*networks, [photo, image]))
    assert one.size[0] == two.shape[1] == WIDTH
    row = len(two) - one.size[1]
    # the last lines warn that the prototypes have never been pushed
    assert (two[:row] == np.asarray(one)[:row]).all()


def test_other_networks_are_refused(networks, image):
    inferencer, baseline = networks
    with pytest.raises(InputError, match='is a ProtoPNetHead: give a baseline with a LinearCls'):
        compare_attention(inferencer, inferencer.model, [image])
    other = load_like(baseline, classes=7)
    with pytest.raises(InputError, match='the ProtoPNet has 12 classes and the baseline has 7'):
        compare_attention(inferencer, other, [image])
    named, renamed = load_like(baseline), load_like(baseline)
    named._dataset_meta = dict(classes=[f'bird {i}' for i in range(12)])
    renamed._dataset_meta = dict(classes=[f'bird {i}' for i in range(11)] + ['fish'])
    check_baseline(named, named)
    with pytest.raises(InputError, match="class 11 is 'bird 11' for the ProtoPNet and 'fish'"):
        check_baseline(named, renamed)


def load_like(baseline, classes=12):
    model = get_model(baseline._config)
    model.head = LinearClsHead(classes, 256)
    return model


def test_wrong_files_are_refused(tmp_path, photo):
    check_comparison([photo], tmp_path / 'out.jpg')
    text = tmp_path / 'text.jpg'
    text.write_text('no image')
    for images, out, message in (
        ([photo, str(text)], tmp_path / 'out.png', 'text.jpg is no image'),
        ([photo], tmp_path / 'out.gif', r'ends with .png or .jpg'),
        ([photo], tmp_path / 'no' / 'out.png', 'a file in a folder that is there'),
    ):
        with pytest.raises(InputError, match=message):
            check_comparison(images, out)
    assert not list(tmp_path.glob('out*'))


def command(birds, *words):
    done = subprocess.run(
        [sys.executable, 'tools/compare_attention.py', *map(str, words)],
        cwd=ROOT,
        env={**os.environ, 'DATA_ROOT': str(birds)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_command(birds, checkpoints, image, photo, tmp_path):
    networks = [word for kind in CONFIGS for word in (CONFIGS[kind], checkpoints[kind])]
    out = tmp_path / 'figure.jpg'
    code, text = command(birds, *networks, image, photo, '--out', out)
    assert code == 0, text
    assert [path.name for path in tmp_path.glob('*figure*')] == ['figure.jpg']
    with Image.open(out) as figure:
        assert figure.format == 'JPEG'
        assert figure.width == WIDTH
    swapped = networks[2:] + networks[:2]
    code, text = command(birds, *swapped, image, '--out', tmp_path / 'no.png')
    assert code == 1
    assert text.splitlines()[-1].startswith('error: model.head')
    assert 'Traceback' not in text
    assert not (tmp_path / 'no.png').exists()
