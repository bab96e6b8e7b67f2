"""From a folder of X-ray-like images to a tested model, by the commands of docs/your_data.md."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from tests.command import SMALL, run_command
from tests.dicom_files import write_dicom

CONFIG = 'configs/protopnet/resnet34_folder.py'
COMMON = ['--cfg-options', *SMALL]
NETWORK = [
    'model.neck.out_channels=32',
    'model.head.in_channels=32',
    'model.head.prototypes_per_class=2',
    'optim_wrapper.schedule.warm_epochs=0',
    'optim_wrapper.stages.joint.backbone.lr=0.001',
]
SHORT = {
    'protopnet': [
        *NETWORK,
        'optim_wrapper.schedule.epochs=1',
        'optim_wrapper.schedule.push_epochs=[0]',
        'train_dataloader.dataset.least=1',
    ],
    'baseline': [
        'train_cfg.max_epochs=1',
        'train_dataloader.dataset.least=1',
    ],
}


def x_ray(rng, top):
    """A 12-bit image (H, W), wider than high: a spot, light in the dark half or the reverse."""
    height, width = rng.integers(48, 72), rng.integers(80, 110)
    image = rng.normal(np.linspace(200, 3800, height)[:, None], 60, (height, width))
    row = int(height * (0.25 if top else 0.75)) + rng.integers(-3, 4)
    column = rng.integers(20, width - 20)
    image[row - 7 : row + 7, column - 7 : column + 7] = 4000 if top else 100
    return image.clip(0, 4095).astype(np.uint16)


@pytest.fixture(scope='module')
def x_rays(tmp_path_factory):
    root = tmp_path_factory.mktemp('x-rays')
    rng = np.random.default_rng(0)
    for name in ('below', 'top'):
        (root / name).mkdir()
        for i in range(15):
            image = x_ray(rng, name == 'top')
            if i % 2:
                Image.fromarray((image // 16).astype(np.uint8)).save(root / name / f'{i}.jpg')
            else:
                Image.fromarray(image).save(root / name / f'{i}.png')
    return root


def run(*command, **env):
    return run_command(*command, **{'SCALE': '96x64', **env})


@pytest.mark.slow
def test_a_folder_of_x_rays_is_learnt_and_its_prototypes_are_pictured(x_rays, tmp_path):
    code, text = run(
        'tools/train.py', CONFIG, '--work-dir', tmp_path, *COMMON, *NETWORK,
        f'data_root={x_rays}', 'optim_wrapper.schedule.epochs=6',
        'optim_wrapper.schedule.push_epochs=[5]',
    )  # fmt: skip
    assert code == 0, text
    assert 'Push: 4 prototypes moved' in text
    assert 'Push: accuracy/top1 was' in text

    checkpoint = torch.load(tmp_path / 'epoch_6.pth')
    assert checkpoint['meta']['dataset_meta']['classes'] == ('below', 'top')
    state = checkpoint['state_dict']
    assert state['head.last_layer.weight'].shape == (2, 4)
    assert bool(state['head.prototypes_are_patches'])

    # what a push writes, from training images alone, in the shape of the images
    records = json.loads((tmp_path / 'prototypes' / 'epoch_6' / 'prototypes.json').read_text())
    assert [record['class_name'] for record in records] == ['below', 'below', 'top', 'top']
    assert all(record['image_size'] == [64, 96] for record in records)
    assert len(list((tmp_path / 'prototypes' / 'epoch_6').glob('*.jpg'))) == 3 * 4

    # the config beside the checkpoint needs neither setting nor folder of the environment
    saved = tmp_path / 'resnet34_folder.py'
    cfg = Config.fromfile(saved)
    assert cfg.model.head.num_classes == 2
    out = tmp_path / 'metrics.json'
    code, text = run(
        'tools/test.py', saved, tmp_path / 'epoch_6.pth', '--work-dir', tmp_path, '--out', out,
        SCALE='',
    )  # fmt: skip
    assert code == 0, text
    assert json.loads(out.read_text())['accuracy/top1'] >= 80


@pytest.mark.slow
def test_the_frozen_config_trains_all_but_the_backbone(x_rays, tmp_path):
    code, text = run(
        'tools/train.py', 'configs/protopnet/resnet34_frozen_folder.py', '--work-dir', tmp_path,
        *COMMON, *NETWORK[:3], f'data_root={x_rays}', 'optim_wrapper.schedule.epochs=3',
        'optim_wrapper.schedule.push_epochs=[0,2]',
    )  # fmt: skip
    assert code == 0, text
    assert 'The backbone is frozen and has made its maps of 24 images' in text
    first, last = (torch.load(tmp_path / f'epoch_{number}.pth')['state_dict'] for number in (1, 3))
    kept = {name for name, value in first.items() if torch.equal(value, last[name])}
    assert all(
        (name in kept) == name.startswith('backbone.') for name in first if '.weight' in name
    )
    # the checkpoint is one that takes images, and prototypes are drawn in them
    assert len(list((tmp_path / 'prototypes' / 'epoch_3').glob('*_heat.jpg'))) == 4
    saved = tmp_path / 'resnet34_frozen_folder.py'
    code, text = run('tools/test.py', saved, tmp_path / 'epoch_3.pth', SCALE='')
    assert code == 0, text
    assert 'accuracy/top1' in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ('kind', 'rate'),
    [('protopnet', 'stages.joint.backbone.lr'), ('baseline', 'optimizer.lr')],
)
def test_a_training_that_diverges_ends_with_one_line(x_rays, tmp_path, kind, rate):
    code, text = run(
        'tools/train.py', f'configs/{kind}/resnet34_folder.py', '--work-dir', tmp_path, *COMMON,
        *(SHORT[kind]), f'data_root={x_rays}', f'optim_wrapper.{rate}=1e30',
    )  # fmt: skip
    assert code == 1, text
    assert 'Traceback' not in text
    line = text.strip().splitlines()[-1]
    assert line.startswith('error: not finite in epoch 1, step ')
    assert f'Lower optim_wrapper.{rate} (now ' in line
    assert line.endswith('; no checkpoint yet')
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['protopnet', 'baseline'])
def test_mmpretrains_own_command_trains(x_rays, tmp_path, kind):
    import mmpretrain

    tool = Path(mmpretrain.__file__).parent / '.mim' / 'tools' / 'train.py'
    code, text = run(
        tool, f'configs/{kind}/resnet34_folder.py', '--work-dir', tmp_path, *COMMON, *SHORT[kind],
        DATA_ROOT=str(x_rays),
    )  # fmt: skip
    assert code == 0, text
    assert 'accuracy/top1' in text


@pytest.mark.slow
def test_dicom_patients_are_learnt_by_a_network_of_one_channel(tmp_path):
    rng = np.random.default_rng(0)
    for name in ('below', 'top'):
        for i in range(12):
            path = tmp_path / 'data' / name / f'p{i // 3}_{i}.dcm'
            write_dicom(path, x_ray(rng, name == 'top'), WindowCenter=2048, WindowWidth=4096)
    work, options = tmp_path / 'work', [*COMMON, *SHORT['protopnet']]
    code, text = run(
        'tools/train.py', CONFIG, '--work-dir', work, *options, f'data_root={tmp_path / "data"}',
        'in_channels=1', r'group=(p\d+)_', 'train_dataloader.dataset.dataset.balance=True',
    )  # fmt: skip
    assert code == 0, text
    assert 'save_best picks the checkpoint by the images that it is tested with' in text
    assert 'accuracy/balanced' in text
    assert 'accuracy/of/top' in text
    assert 'Push: 4 prototypes moved' in text
    state = torch.load(work / 'epoch_1.pth')['state_dict']
    assert next(iter(state.values())).shape[1] == 1
    cfg = Config.fromfile(work / 'resnet34_folder.py')
    assert cfg.test_dataloader.dataset.group == r'(p\d+)_'

    code, text = run(
        'tools/explain.py', work / 'resnet34_folder.py', work / 'epoch_1.pth',
        tmp_path / 'data' / 'top' / 'p0_0.dcm', '--out', tmp_path / 'explained', SCALE='',
    )  # fmt: skip
    assert code == 0, text
    assert (tmp_path / 'explained' / 'p0_0.html').is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ('options', 'env', 'message'),
    [
        (['data_root=no'], {}, 'error: data_root=no: there is no such folder; set data_root'),
        (['data_root={}', 'group=('], {}, 'error: dataset.group=(: this is no regular expression'),
        ([], dict(SCALE='96'), 'error: SCALE=96: give width and height'),
    ],
)
def test_wrong_input_is_answered_by_one_line(x_rays, options, env, message):
    options = [option.format(x_rays) for option in options]
    code, text = run('tools/train.py', CONFIG, '--cfg-options', 'resume=False', *options, **env)
    assert code != 0
    assert text.splitlines()[-1].startswith(message)
    assert 'Traceback' not in text
