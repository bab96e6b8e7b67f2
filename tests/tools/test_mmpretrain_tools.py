"""MMPretrain's own tools, as its wheel ships them, on a ProtoPNet; see docs/mmpretrain.md."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mmengine
import mmpretrain
import pytest
import torch
from mmengine.utils import digit_version
from mmpretrain.registry import DATASETS
from PIL import Image

from mmproto.datasets.birds import make_birds
from mmproto.datasets.checks import image_paths

ROOT = Path(__file__).parents[2]
TOOLS = Path(mmpretrain.__file__).parent / '.mim' / 'tools'
CONFIG = ROOT / 'configs/protopnet/resnet10t_birds.py'
QUICK = [
    '--cfg-options',
    'optim_wrapper.schedule.epochs=3',
    'optim_wrapper.schedule.push_epochs=[1,2]',
    'train_dataloader.batch_size=6',
    'train_cfg.val_interval=1',
    'default_hooks.logger.interval=1',
]

pytestmark = pytest.mark.slow


def older(library, limit):
    """Skips where a library is too new for the tool, for MMPretrain's own models as well."""
    try:
        too_new = digit_version(version(library)) >= digit_version(limit)
    except PackageNotFoundError:
        too_new = True
    return pytest.mark.skipif(too_new, reason=f'the tool needs {library} older than {limit}')


@pytest.fixture(scope='module')
def birds(tmp_path_factory):
    return make_birds(tmp_path_factory.mktemp('data') / 'birds', train=2, test=1, size=64)


@pytest.fixture(scope='module')
def run(birds, tmp_path_factory):
    """Runs Python in an empty folder, without a screen; gives what it printed."""
    folder = tmp_path_factory.mktemp('empty')

    def run(*command):
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=folder,
            env={**os.environ, 'DATA_ROOT': str(birds), 'MPLBACKEND': 'Agg', 'COLUMNS': '200'},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_the_push_set_follows_the_folds_of_a_cross_validation(run, birds, tmp_path):
    config = tmp_path / 'folds.py'
    config.write_text(
        f"_base_ = '{CONFIG}'\ntrain_dataloader = dict(dataset=dict("
        '_delete_=True, **_base_.train_dataloader.dataset.dataset))\n'
    )
    text = run(
        TOOLS / 'kfold-cross-valid.py', config, '--num-splits', 12, '--fold', 1, '--seed', 3,
        '--work-dir', tmp_path / 'work', *QUICK,
    )  # fmt: skip
    assert 'as well' not in text
    records = tmp_path / 'work' / 'fold1' / 'prototypes' / 'epoch_3' / 'prototypes.json'
    images = {Path(record['image']).name for record in json.loads(records.read_text())}
    fold = dict(
        type='KFoldDataset', fold=1, num_splits=12, seed=3, test_mode=True,
        dataset=dict(type='AnnotatedCUB', data_root=str(birds), split='train', pipeline=[]),
    )  # fmt: skip
    held_out = {Path(path).name for path in image_paths(DATASETS.build(fold))}
    assert len(held_out) == 2
    assert images
    assert not images & held_out


@pytest.fixture(scope='module')
def work_dir(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp('work')
    run(TOOLS / 'train.py', CONFIG, '--work-dir', folder, *QUICK)
    return folder


@pytest.fixture(scope='module')
def checkpoint(work_dir):
    return work_dir / 'epoch_3.pth'


@pytest.fixture(scope='module')
def tested(run, checkpoint, tmp_path_factory):
    """The accuracy that test.py prints, and the predictions that it writes."""
    folder = tmp_path_factory.mktemp('test')
    results = folder / 'results.pkl'
    text = run(
        TOOLS / 'test.py', CONFIG, checkpoint, '--work-dir', folder, '--out', results,
        '--show-dir', folder / 'shown',
    )  # fmt: skip
    assert len(list((folder / 'shown').glob('*.png'))) == 12
    return float(re.search(r'accuracy/top1: ([\d.]+)', text)[1]), results


def is_picture(path):
    low, high = Image.open(path).convert('L').getextrema()
    return low < high


def test_train(work_dir, checkpoint):
    state = torch.load(checkpoint)['state_dict']
    assert bool(state['head.prototypes_are_patches'])
    assert len(list((work_dir / 'prototypes' / 'epoch_2').glob('*.jpg'))) == 3 * 60


def test_eval_metric_repeats_the_accuracy_of_test(run, tested):
    accuracy, results = tested
    text = run(
        TOOLS / 'analysis_tools/eval_metric.py', results, '--metric', 'type=Accuracy', 'topk=1'
    )
    printed = float(re.search(r"'accuracy/top1': ([\d.]+)", text)[1])
    assert printed == pytest.approx(accuracy, abs=1e-3)


def test_confusion_matrix(run, tested, tmp_path):
    accuracy, results = tested
    out, picture = tmp_path / 'matrix.pkl', tmp_path / 'matrix.png'
    run(
        TOOLS / 'analysis_tools/confusion_matrix.py', CONFIG, results, '--out', out,
        '--show-path', picture,
    )  # fmt: skip
    matrix = mmengine.load(out)
    assert matrix.sum(1).tolist() == [1] * 12
    assert 100 * matrix.trace().item() / 12 == pytest.approx(accuracy, abs=1e-3)
    assert is_picture(picture)


def test_analyze_results_sorts_the_pictures(run, tested, tmp_path):
    accuracy, results = tested
    run(TOOLS / 'analysis_tools/analyze_results.py', CONFIG, results, '--out-dir', tmp_path)
    count = {name: len(list((tmp_path / name).glob('*.png'))) for name in ('success', 'fail')}
    right = round(accuracy * 12 / 100)
    assert count == {'success': right, 'fail': 12 - right}


def test_get_flops_counts_backbone_and_neck(run):
    text = run(TOOLS / 'analysis_tools/get_flops.py', CONFIG, '--shape', 96)
    convolution = re.search(r'neck\.add_on_layers\.0 +\| +([\d.]+)K +\| +([\d.]+)M', text)
    assert float(convolution[1]) == pytest.approx((256 * 64 + 64) / 1e3)
    assert float(convolution[2]) == pytest.approx(6 * 6 * 256 * 64 / 1e6, abs=1e-3)
    assert float(re.search(r'Flops: ([\d.]+)G', text)[1]) > 0


def test_analyze_logs_plots(run, work_dir, tmp_path):
    (log,) = work_dir.glob('*/vis_data/[0-9]*.json')
    picture = tmp_path / 'curve.png'
    run(
        TOOLS / 'analysis_tools/analyze_logs.py', 'plot_curve', log, '--out', picture,
        '--keys', 'loss_cluster', 'neck.lr', 'accuracy/top1',
    )  # fmt: skip
    assert is_picture(picture)


def test_analyze_logs_times(run, work_dir):
    (log,) = work_dir.glob('*/vis_data/[0-9]*.json')
    text = run(TOOLS / 'analysis_tools/analyze_logs.py', 'cal_train_time', log)
    assert float(re.search(r'average iter time: ([\d.]+) s/iter', text)[1]) > 0


def test_publish_model(run, checkpoint, tmp_path):
    tool = TOOLS / 'model_converters/publish_model.py'
    command = f"import mmproto, runpy; runpy.run_path({str(tool)!r}, run_name='__main__')"
    run('-c', command, checkpoint, tmp_path / 'bird.pth')
    (published,) = tmp_path.glob('bird_*.pth')
    # Without mmproto, whose import allows the log history of MMEngine.
    run('-c', 'import sys, torch; torch.load(sys.argv[1], weights_only=True)', published)
    loaded, full = torch.load(published), torch.load(checkpoint)
    assert set(loaded) == {'meta', 'state_dict'}
    assert loaded['meta']['dataset_meta'] == full['meta']['dataset_meta']
    for name, value in full['state_dict'].items():
        assert torch.equal(loaded['state_dict'][name], value), name


@pytest.fixture
def unrepeated(tmp_path):
    """The config of docs/mmpretrain.md, whose training set is not wrapped in a RepeatDataset."""
    path = tmp_path / 'browse.py'
    dataset = 'dict(_delete_=True, **_base_.train_dataloader.dataset.dataset)'
    path.write_text(f'_base_ = {str(CONFIG)!r}\ntrain_dataloader = dict(dataset={dataset})\n')
    return path


def browse(run, config, folder, *args):
    tool = TOOLS / 'visualization/browse_dataset.py'
    run(tool, config, '--not-show', '-o', folder, '-n', 2, *args)
    pictures = sorted(folder.glob('*.jpg'))
    assert len(pictures) == 2
    assert all(map(is_picture, pictures))
    return Image.open(pictures[0])


def test_browse_dataset(run, unrepeated, tmp_path):
    assert browse(run, unrepeated, tmp_path / 'train', '-m', 'original').size == (64, 64)


@older('matplotlib', '3.11')
def test_browse_dataset_shows_the_augmentation(run, unrepeated, tmp_path):
    width, height = browse(run, unrepeated, tmp_path / 'steps', '-m', 'pipeline').size
    assert width > 2 * height  # load, crop, warp, flip, resize


@older('grad-cam', '1.5')
@pytest.mark.skipif(
    importlib.util.find_spec('pkg_resources') is None, reason='needs setuptools older than 82'
)
@pytest.mark.parametrize('layer', [[], ['--target-layers', 'neck.add_on_layers.2']])
def test_vis_cam(run, birds, checkpoint, tmp_path, layer):
    image = next((birds / 'images').glob('*/*.jpg'))
    picture = tmp_path / 'cam.png'
    run(
        TOOLS / 'visualization/vis_cam.py', image, CONFIG, checkpoint, '--save-path', picture,
        *layer,
    )  # fmt: skip
    assert is_picture(picture)
    assert Image.open(picture).size == (96, 96)
