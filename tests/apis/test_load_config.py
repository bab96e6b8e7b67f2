import os
import re
from pathlib import Path

import pytest
from mmengine.config import Config
from PIL import Image

from mmproto.apis import load_config
from mmproto.apis.config_check.checks import require_sound
from mmproto.errors import InputError, InputListError
from tests.command import ROOT

FOLDER = 'configs/protopnet/resnet34_folder.py'
BIRDS = 'configs/protopnet/resnet10t_birds.py'


@pytest.fixture
def images(tmp_path):
    """Three classes of two images each, in a folder with a blank in its name."""
    root = tmp_path / 'my images'
    for name in ('cat', 'dog', 'emu'):
        (root / name).mkdir(parents=True)
        for number in range(2):
            Image.new('RGB', (20, 16)).save(root / name / f'{number}.png')
    return root


def roots(cfg):
    return {
        cfg.train_dataloader.dataset.dataset.data_root,
        *(cfg[f'{name}_dataloader'].dataset.data_root for name in ('push', 'val', 'test')),
    }


def test_all_that_follows_from_the_arguments_does(images):
    cfg = load_config(FOLDER, data_root=images, scale=(96, 64), backbone='resnet18')
    assert roots(cfg) == {str(images)}
    assert cfg.model.head.num_classes == 3
    assert cfg.data_preprocessor.num_classes == 3
    assert [step.get('scale') for step in cfg.push_dataloader.dataset.pipeline][-2] == (96, 64)
    assert cfg.model.backbone.model_name == 'resnet18'
    assert cfg.work_dir == 'work_dirs/protopnet/resnet34_folder'
    assert cfg.train_dataloader.collate_fn == dict(type='default_collate')


def test_the_environment_stays_as_it_was(images, monkeypatch):
    monkeypatch.setenv('DATA_ROOT', 'data/other')
    monkeypatch.delenv('SCALE', raising=False)
    load_config(FOLDER, data_root=images, scale=(96, 64))
    assert os.environ['DATA_ROOT'] == 'data/other'
    assert 'SCALE' not in os.environ
    with pytest.raises(InputError, match='there is no such folder'):
        load_config(FOLDER, data_root='no')
    assert os.environ['DATA_ROOT'] == 'data/other'


def test_classes_and_any_other_setting(tmp_path):
    cfg = load_config(
        Path(BIRDS),
        num_classes=7,
        work_dir=tmp_path,
        cfg_options={'optim_wrapper.schedule.epochs': 3, 'data_root': tmp_path},
    )
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes == 7
    assert cfg.optim_wrapper.schedule.epochs == 3
    assert roots(cfg) == {str(tmp_path)}
    assert cfg.work_dir == str(tmp_path)


def test_a_config_that_comes_with_mmproto_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config(BIRDS).filename == str(ROOT / BIRDS)
    (tmp_path / 'configs' / 'protopnet').mkdir(parents=True)
    Config(dict(model=dict(head=dict(num_classes=5)))).dump(tmp_path / BIRDS)
    assert load_config(BIRDS).model.head.num_classes == 5  # one's own comes first


@pytest.mark.parametrize(
    ('config', 'settings', 'message'),
    [
        ('no.py', {}, 'there is no config file no.py'),
        (BIRDS, dict(backbone='resnet9000'), 'is no model of timm; nearest'),
        (BIRDS, dict(data_root="it's"), 'no quotes, backslashes'),
        (BIRDS, dict(cfg_options=dict(load_from='no.pth')), 'there is no checkpoint no.pth'),
    ],
)
def test_wrong_settings_are_named(config, settings, message):
    with pytest.raises(InputError, match=message):
        load_config(config, **settings)


def test_a_config_that_does_not_read_a_setting_is_named(tmp_path):
    file = tmp_path / 'own.py'
    file.write_text("data_root = 'data/own'")
    with pytest.raises(InputError, match=r'data_root=data/other: .*own\.py does not read it'):
        load_config(file, data_root='data/other')


def test_a_timm_name_is_refused_where_the_backbone_is_none_of_timms(tmp_path):
    file = tmp_path / 'own.py'
    Config(dict(model=dict(backbone=dict(type='ResNet', depth=18)))).dump(file)
    with pytest.raises(InputError, match='is of the type ResNet'):
        load_config(file, backbone='resnet18')


def test_a_model_and_its_baseline_have_folders_of_their_own(tmp_path):
    names = ('protopnet', 'baseline')
    folders = [load_config(f'configs/{name}/vgg19_cub.py').work_dir for name in names]
    assert folders == [f'work_dirs/{name}/vgg19_cub' for name in names]
    Config(dict(model=dict(head=dict(num_classes=5)))).dump(tmp_path / 'mine.py')
    assert load_config(tmp_path / 'mine.py').work_dir == 'work_dirs/mine'


def test_misspelt_names_are_told_with_all_that_is_wrong(images):
    options = {'model.hed.topk': 1, 'train_dataloader.batch_size': 0}
    with pytest.raises(InputListError) as errors:
        load_config(FOLDER, data_root=images, backbone='resnet188', cfg_options=options)
    assert ['model.hed' in line for line in errors.value.args] == [True, False]
    misspelt = []
    cfg = load_config(FOLDER, data_root=images, cfg_options=options, misspelt=misspelt)
    assert 'hed' not in cfg.model
    with pytest.raises(InputListError) as errors:
        require_sound(cfg, options, misspelt=misspelt)
    first, second = errors.value.args
    assert first.startswith('--cfg-options model.hed.topk: ')
    assert second.startswith('train_dataloader.batch_size=0: ')


def test_a_text_in_the_place_of_one_in_a_list_is_refused(images):
    with pytest.raises(InputError, match=r'^--cfg-options custom_hooks.0=.EMAHook.: that cannot'):
        load_config(FOLDER, data_root=images, cfg_options={'custom_hooks.0': 'EMAHook'})


def test_an_empty_name_of_a_folder_is_refused(images):
    for given in (dict(work_dir=''), dict(cfg_options=dict(work_dir=''))):
        with pytest.raises(InputError, match=r"^work_dir='': name a folder, or leave it out"):
            load_config(FOLDER, data_root=images, **given)


CODE = {
    'words.py': ('hello there', 'SyntaxError: invalid syntax'),
    'open.py': ('model = dict(', r"SyntaxError: '\(' was never closed"),
    'no_base.py': ("_base_ = './no.py'", 'FileNotFoundError: .*no.py'),
    'number.py': ('_base_ = 3', 'TypeError'),
    'raises.py': (
        'a = 1\nb = 1 / 0',
        r'ZeroDivisionError: division by zero in .*raises.py, line 2',
    ),
    'ends.py': ('import sys\nsys.exit(0)', r'SystemExit: 0 in .*ends.py, line 2'),
    'imports.py': ("custom_imports = dict(imports=['no_such'])", 'no_such'),
    'half.json': ('{"model": ', 'JSONDecodeError'),
    'half.yaml': ('a: [', 'ParserError'),
    'other.txt': ('a = 1', 'Only py/yml/yaml/json type'),
    'latin.py': ('a = "\xe9"', 'UnicodeDecodeError'),
}


@pytest.mark.parametrize('name', CODE)
def test_a_file_that_is_no_config_is_named(tmp_path, name):
    code, words = CODE[name]
    (tmp_path / name).write_bytes(code.encode('latin-1'))
    with pytest.raises(InputError, match=f'{name} cannot be read as a config: .*{words}') as error:
        load_config(tmp_path / name)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('form', ["_base_ = '{}.py'", 'with read_base():\n    from .{} import *'])
def test_a_config_that_is_its_own_base_is_refused_at_once(tmp_path, form):
    for name, base in dict(alone='alone', a='b', b='c', c='b').items():
        head = 'from mmengine.config import read_base\n' if 'read_base' in form else ''
        (tmp_path / f'{name}.py').write_text(f'{head}{form.format(base)}\n')
    files = {name: tmp_path / f'{name}.py' for name in 'abc'}
    with pytest.raises(InputError, match=r'alone.py is a base of itself \('):
        load_config(tmp_path / 'alone.py')
    circle = ' -> '.join(str(files[name]) for name in 'bcb')
    with pytest.raises(InputError, match=re.escape(f'itself ({circle}): remove one')):
        load_config(files['a'])


def test_a_scale_that_cannot_be_is_refused(images):
    for scale, words in {
        '': "scale='': give a value",
        '99999x99999': 'SCALE=99999x99999 has',
    }.items():
        with pytest.raises(InputError, match=words):
            load_config(FOLDER, data_root=images, scale=scale)
