"""The size of the images: one setting of every config, or what the network was trained with."""

from pathlib import Path

import pytest
from PIL import Image

from mmproto.apis import load_config
from mmproto.datasets.scale import image_scale
from mmproto.errors import InputError

CONFIGS = Path(__file__).parents[2] / 'configs'
LEAVES = ['vgg19_cub.py', 'vgg19_cub_full.py', 'vgg19_cars.py', 'resnet10t_birds.py']
FOLDER = 'resnet34_folder.py'
FIXED = 'vit_base_patch14_dinov2'  # 518 x 518
B3 = 'tf_efficientnet_b3'  # 300 x 300, bicubic


@pytest.fixture(autouse=True)
def images(tmp_path, monkeypatch):
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
        for i in range(4):
            Image.new('L', (9, 7)).save(tmp_path / name / f'{i}.png')
    monkeypatch.setenv('DATA_ROOT', str(tmp_path))
    monkeypatch.setenv('SCALE', '')  # put back afterwards
    monkeypatch.delenv('SCALE')


def load(leaf, model_name=None, **options):
    if model_name:
        options['model.backbone.model_name'] = model_name
    path = leaf if isinstance(leaf, Path) else CONFIGS / 'protopnet' / leaf
    return load_config(path, cfg_options=options)


def resizes(cfg):
    """Scale and interpolation of the Resize of each of the four data sets."""
    train = cfg.train_dataloader.dataset.dataset
    sets = [train, *(cfg[f'{name}_dataloader'].dataset for name in ('push', 'val', 'test'))]
    steps = [[step for step in part.pipeline if step.type == 'Resize'] for part in sets]
    return [(tuple(step.scale), step.interpolation) for (step,) in steps]


@pytest.mark.parametrize('text', ['320', '320x', '320x0', 'axb', '1x2x3', '-1x2', ''])
def test_a_scale_is_width_and_height(text):
    assert image_scale('320x256') == (320, 256)
    with pytest.raises(InputError, match='such as SCALE=320x256, or network'):
        image_scale(text)


@pytest.mark.parametrize('leaf', [*LEAVES, FOLDER])
def test_scale_is_one_setting_of_every_config(leaf):
    cfg = load(leaf, scale='320x256')
    assert cfg.scale == '320x256'
    assert {scale for scale, _ in resizes(cfg)} == {(320, 256)}
    (train_scale,) = (step.scale for step in cfg.train_pipeline if 'scale' in step)
    assert train_scale == (320, 256)


@pytest.mark.parametrize('leaf', LEAVES)
def test_the_papers_configs_stay_at_their_size(leaf):
    side = 96 if 'birds' in leaf else 224
    assert resizes(load(leaf, B3)) == [((side, side), 'bilinear')] * 4


@pytest.mark.parametrize(
    ('leaf', 'options', 'expected'),
    [
        (FOLDER, {}, ((300, 300), 'bicubic')),
        (FOLDER, dict(scale='64x32'), ((64, 32), 'bicubic')),
        (FOLDER, dict(interpolation='lanczos'), ((300, 300), 'lanczos')),
        ('vgg19_cub.py', dict(scale='network'), ((300, 300), 'bilinear')),
    ],
)
def test_what_the_network_was_trained_with_but_for_what_is_set(leaf, options, expected):
    assert resizes(load(leaf, B3, **options)) == [expected] * 4


def test_the_environment_sets_the_scale_too(monkeypatch):
    monkeypatch.setenv('SCALE', '224x224')
    assert resizes(load('vgg19_cub.py', FIXED)) == [((224, 224), 'bilinear')] * 4
    assert resizes(load(FOLDER, B3)) == [((224, 224), 'bicubic')] * 4


@pytest.mark.parametrize('leaf', [*LEAVES, FOLDER])
def test_a_network_for_one_size_gets_it(leaf):
    assert {scale for scale, _ in resizes(load(leaf, FIXED))} == {(518, 518)}
    smaller = {'model.backbone.img_size': 98}
    assert {scale for scale, _ in resizes(load(leaf, FIXED, **smaller))} == {(98, 98)}
    if leaf in LEAVES:
        free = {'model.backbone.dynamic_img_size': True}
        assert {scale for scale, _ in resizes(load(leaf, FIXED, **free))} != {(518, 518)}


def test_a_step_with_a_size_of_its_own_stays():
    cfg = load(FOLDER, B3, **{'test_dataloader.dataset.pipeline.1.scale': (50, 40)})
    assert [scale for scale, _ in resizes(cfg)] == [(300, 300)] * 3 + [(50, 40)]


def test_a_saved_config_needs_no_network(tmp_path):
    file = tmp_path / 'saved.py'
    load(FOLDER, B3).dump(file)
    assert 'network' not in file.read_text()
    assert resizes(load(file, 'vgg11')) == [((300, 300), 'bicubic')] * 4


def test_a_network_of_another_library_stays_at_224(tmp_path):
    file = tmp_path / 'mine.py'
    file.write_text(
        f"_base_ = '{CONFIGS / 'protopnet' / FOLDER}'\n"
        "model = dict(backbone=dict(_delete_=True, type='ResNet', depth=18))\n"
    )
    assert resizes(load(file)) == [((224, 224), 'bilinear')] * 4
