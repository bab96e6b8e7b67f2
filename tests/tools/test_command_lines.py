"""The command lines, run as a user runs them, on rendered birds."""

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import mmengine
import mmpretrain
import pytest
import torch
from mmpretrain.registry import MODELS

from mmproto.apis.load_config import find_config
from mmproto.datasets.birds import make_birds
from mmproto.errors import InputError, InputListError
from mmproto.utils import command_line
from mmproto.utils.command_line import config_parser, load_config, one_line_errors
from tests.command import ROOT, run_command

CONFIG = 'configs/protopnet/resnet10t_birds.py'
QUICK = [
    '--cfg-options',
    'optim_wrapper.schedule.epochs=3',
    'optim_wrapper.schedule.push_epochs=[1,2]',
    'train_dataloader.batch_size=6',
    'train_cfg.val_interval=1',
]

NO_TEST = ['--cfg-options', *(f'test_{name}=None' for name in ('dataloader', 'cfg', 'evaluator'))]


@pytest.fixture(scope='module')
def birds(tmp_path_factory):
    return make_birds(tmp_path_factory.mktemp('data') / 'birds', train=2, test=1, size=64)


@pytest.fixture
def run(birds):
    """Runs a command in the repository; gives what it printed, and its exit status."""

    return partial(run_command, DATA_ROOT=str(birds))


def check_log(work_dir, text):
    """What a training shows is short; its log file and its JSON have everything."""
    assert 'System environment' not in text
    assert 'Config:' not in text
    (log,) = work_dir.glob('2*/2*.log')
    assert 'System environment' in log.read_text()
    assert 'Config:' in log.read_text()
    lines = [line for line in text.splitlines() if 'Epoch(train)' in line]
    assert len(lines) == 3
    for line in lines:
        assert len(line) < 190
        assert re.search(r'\]  lr: 0.001 0.003 0.003  eta: \S+  time: ', line)  # nothing frozen
        assert re.search(r'loss: \S+ \(cls .*, cluster .*, separation .*, l1 [\d.]+\)$', line)
    (scalars,) = work_dir.glob('2*/vis_data/2*.json')
    first = json.loads(scalars.read_text().splitlines()[0])
    assert (first['backbone.lr'], first['last_layer.lr']) == (0.001, 0)
    assert first['loss_cls'] > 0


@pytest.mark.slow
def test_train_resume_test_and_push(run, tmp_path):
    work_dir = tmp_path / 'work'
    code, text = run('tools/train.py', CONFIG, '--work-dir', work_dir, *QUICK)
    assert code == 0, text
    assert 'Push: 60 prototypes moved' in text
    check_log(work_dir, text)
    assert {path.name for path in work_dir.glob('epoch_*.pth')} == {
        f'epoch_{epoch}.pth' for epoch in (1, 2, 3)
    }
    assert len(list((work_dir / 'prototypes' / 'epoch_2').glob('*.jpg'))) == 3 * 60
    state = torch.load(work_dir / 'epoch_3.pth')['state_dict']
    assert bool(state['head.prototypes_are_patches'])

    code, text = run(
        'tools/train.py',
        CONFIG,
        '--work-dir',
        work_dir,
        '--resume',
        work_dir / 'epoch_2.pth',
        *QUICK,
    )
    assert code == 0, text
    assert "Epoch 3 of 3 is a 'joint' epoch" in text
    assert 'Epoch 2 of 3' not in text
    resumed = torch.load(work_dir / 'epoch_3.pth')['state_dict']
    assert bool(resumed['head.prototypes_are_patches'])

    out, dump = tmp_path / 'metrics.json', tmp_path / 'predictions.pkl'
    code, text = run(
        'tools/test.py', CONFIG, work_dir / 'epoch_3.pth', '--work-dir', work_dir,
        '--out', out, '--out', dump,
    )  # fmt: skip
    assert code == 0, text
    assert 0 <= json.loads(out.read_text())['accuracy/top1'] <= 100
    assert len(mmengine.load(dump)) == 12
    assert dump.stat().st_size < 12 * 8000
    averaged = tmp_path / 'averaged.pkl'
    code, text = run(
        'tools/test.py', CONFIG, work_dir / 'epoch_3.pth', '--work-dir', work_dir, '--tta',
        '--out', averaged, '--no-pin-memory', '--no-persistent-workers',
    )  # fmt: skip
    assert code == 0, text
    one, two = (mmengine.load(file)[0]['pred_score'] for file in (dump, averaged))
    assert two.sum() == pytest.approx(1, abs=1e-5)
    assert not torch.allclose(one, two, atol=1e-6)
    code, text = run(
        'tools/test.py', CONFIG, work_dir / 'epoch_3.pth', '--work-dir', work_dir,
        '--show-dir', tmp_path / 'shown', '--interval', '5',
    )  # fmt: skip
    assert code == 0, text
    assert len(list((tmp_path / 'shown').glob('*.png'))) == 3

    new = tmp_path / 'new.pth'
    code, text = run(
        'tools/push.py', CONFIG, work_dir / 'epoch_1.pth', '--out', new, '--work-dir', work_dir
    )
    assert code == 0, text
    pushed = torch.load(new)
    assert bool(pushed['state_dict']['head.prototypes_are_patches'])
    assert pushed['meta']['dataset_meta']['classes'][0] == 'Hook_billed_Crested_Barwing'
    assert len(json.loads((tmp_path / 'new_prototypes' / 'prototypes.json').read_text())) == 60
    assert 'of 12 images keep their prediction' in text
    certificate = json.loads((tmp_path / 'new_prototypes' / 'push.json').read_text())['certificate']
    assert certificate['images'] == 12
    found = tmp_path / 'certified.json'
    code, text = run(
        'tools/certify.py', CONFIG, work_dir / 'epoch_1.pth', new, '--work-dir', work_dir,
        '--json', found,
    )  # fmt: skip
    assert code == 0, text
    assert 'certified by the sizes of the moves alone' in text
    assert json.loads(found.read_text())['certificate'] == certificate  # the same images here

    fitted = tmp_path / 'fitted.pth'
    code, text = run(
        'tools/fit_last_layer.py', CONFIG, new, '--out', fitted, '--work-dir', work_dir,
        '--l1-weight', '0.01', '--non-negative',
    )  # fmt: skip
    assert code == 0, text
    weight = torch.load(fitted)['state_dict']['head.last_layer.weight']
    assert weight.min() == 0
    assert f'{int((weight > 0).sum()) - 60} of 660 connections to other classes' in text
    assert 'Validation: own_class_points/fraction was' in text
    sheet = tmp_path / 'sheet.png'
    code, text = run('tools/prototype_sheet.py', tmp_path / 'new_prototypes', '--out', sheet)
    assert code == 0, text
    assert sheet.is_file()


@pytest.mark.slow
def test_two_processes_train_and_test_without_a_gpu(run, tmp_path, monkeypatch):
    monkeypatch.setenv('PORT', '29651')
    code, text = run(
        'tools/dist_train.sh', CONFIG, 2, '--work-dir', tmp_path, *QUICK, launcher=['bash']
    )
    assert code == 0, text
    assert 'Push: 60 prototypes moved' in text
    code, text = run(
        'tools/dist_test.sh', CONFIG, tmp_path / 'epoch_3.pth', 2, '--work-dir', tmp_path,
        launcher=['bash'],
    )  # fmt: skip
    assert code == 0, text
    assert 'accuracy/top1' in text


@pytest.mark.slow
def test_another_backbone_is_one_setting(run, tmp_path):
    code, text = run(
        'tools/train.py', CONFIG, '--amp', '--work-dir', tmp_path, *QUICK,
        'model.backbone.model_name=mobilenetv3_small_050',
    )  # fmt: skip
    assert code == 0, text
    assert (tmp_path / 'epoch_3.pth').is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ('command', 'message'),
    [
        (['tools/train.py', 'no.py'], 'error: there is no config file no.py, here or in'),
        (
            ['tools/train.py', CONFIG, '--cfg-options', 'optim_wrapper.schedul.epochs=3'],
            'did you mean optim_wrapper.schedule.epochs?',
        ),
        (['tools/train.py', CONFIG, '--resume='], "error: there is no checkpoint ''"),
        (['tools/test.py', CONFIG, os.fsdecode(b'\xff')], r"error: b'\xff' is no UTF-8"),
        (['tools/test.py', CONFIG, 'x', '--out', 'a.txt'], '--out a.txt: name a .pkl'),
        (['tools/test.py', CONFIG, 'x', '--out-item', 'pred'], 'name the file by --out'),
        (['tools/test.py', CONFIG, 'x', '--tta', '--show'], 'leave out one of them'),
        (['tools/test.py', CONFIG, 'no.pth'], 'error: there is no checkpoint no.pth'),
        (['tools/train.py', CONFIG, '--launcher', 'pytorch'], 'has not started this process'),
        (
            ['tools/train.py', CONFIG, '--amp', '--cfg-options', 'optim_wrapper=None'],
            'optim_wrapper is missing',
        ),
        (
            ['tools/train.py', CONFIG, '--auto-scale-lr', '--cfg-options', 'auto_scale_lr=None'],
            'add auto_scale_lr=dict(base_batch_size=N)',
        ),
        (['tools/test.py', CONFIG, 'x', '--show-dir', '/proc/x'], '/proc/x cannot be written'),
        (['tools/test.py', CONFIG, 'setup.py', '--cfg-options', 'model=None'], 'model is missing'),
        (['tools/test.py', CONFIG, 'tests'], 'error: tests is no file but a folder'),
        (['tools/push.py', CONFIG, 'no.pth', '--out', 'no/new.pth'], 'give a file in a folder'),
        (['tools/certify.py', CONFIG, 'no.pth', 'no.pth'], 'error: there is no checkpoint no.pth'),
        (['tools/certify.py', CONFIG, 'a', 'b', '--json', 'no/x.json'], 'a file in a folder'),
        (['tools/prune.py', CONFIG, 'no.pth', '--out', 'no/new.pth'], 'give a file in a folder'),
        (['tools/prune.py', CONFIG, 'no.pth', '--out', 'new.pth'], 'no checkpoint no.pth'),
        (
            ['tools/prune.py', CONFIG, 'no.pth', '--out', 'x', '--by', 'weight', '--k', '3'],
            '--k and --threshold are settings of --by neighbours',
        ),
        (
            ['tools/prune.py', CONFIG, 'x', '--out', 'x', '--by', 'weight', '--prototypes', '3'],
            'argument --prototypes: not allowed with argument --by',
        ),
        (['tools/fit_last_layer.py', CONFIG, 'no.pth', '--out', 'no/x.pth'], 'a file in a folder'),
        (
            ['tools/fit_last_layer.py', CONFIG, 'setup.py', '--out', 'x.pth', '--l1-weight', '-1'],
            'error: l1_weight=-1.0: give a positive number',
        ),
        (['tools/prototype_sheet.py', 'no', '--out', 'x.png'], 'a folder that a push has written'),
        (
            ['tools/train.py', CONFIG, '--cfg-options', 'optim_wrapper.schedule.push_epochs=[99]'],
            'optim_wrapper.schedule.push_epochs has [99]',
        ),
        (
            ['tools/train.py', CONFIG, '--cfg-options', 'push_dataloader.dataset.data_root=no'],
            'no such file',
        ),
        (['tools/train.py', CONFIG, '--cfg-options', 'data_root=no'], 'no/classes.txt'),
        (['tools/test.py', CONFIG, 'setup.py'], 'setup.py cannot be read as a checkpoint'),
        (['tools/train.py', CONFIG, '--cfg-options', 'load_from=no.pth'], 'no checkpoint no.pth'),
        (['tools/export_onnx.py', CONFIG, 'setup.py', '--out', 'no/x.onnx'], 'a file in a folder'),
        (['tools/explain.py', CONFIG, 'no.pth', 'x.jpg', '--out', 'why'], 'no checkpoint no.pth'),
        (['tools/explain.py', CONFIG, 'no.pth', '--out', 'why'], 'give images, or --test-images'),
        (
            ['tools/explain.py', CONFIG, 'x', 'x', '--out', 'why', '--all-prototypes', 'x.txt'],
            'x.txt: give a file that ends in .csv or .json',
        ),
        (
            ['tools/explain.py', CONFIG, 'x', 'x', '--out', 'why', '--fields', '-1'],
            '-1 is no whole number of at least 0',
        ),
        (['tools/report.py', CONFIG, 'no.pth', '--out', 'work_dirs'], 'no checkpoint no.pth'),
        (['tools/benchmark.py', '--prototypes', '2000', '10'], '--prototypes 10: give at least 20'),
        (['tools/explain.py', CONFIG, 'x', 'x', '--out', ''], 'an empty argument follows --out'),
        (['tools/prototype_sheet.py', 'x', '--out', 'x.xyz'], 'ends with .png or .jpg'),
        (['tools/prototype_sheet.py', 'x', '--out', 'x.png', '--classes', '0'], 'at least 1'),
        (['tools/measure_attribution.py', CONFIG, 'x', '--seed', '-1'], '--seed -1: give at least'),
        (['tools/measure_attribution.py', CONFIG, 'x', *NO_TEST], 'no test_dataloader'),
        (
            ['tools/evaluate_explanations.py', CONFIG, 'setup.py', '--out', 'work_dirs', *NO_TEST],
            'no test_',
        ),
        (['tools/test.py', CONFIG, 'setup.py', *NO_TEST], 'no test_dataloader'),
        (['tools/benchmark.py', '--backbone', 'resnet999'], '--backbone resnet999'),
        (['tools/benchmark_head.py', '--prototypes', '5'], 'give at least 10'),
        (['tools/crash_test.py', '--keep', 'tests'], '--keep tests is there already'),
        (['tools/benchmark.py', '--images', '100'], 'fewer than the 200 classes: give more'),
    ],
)
def test_wrong_input_is_answered_by_one_line(run, command, message):
    code, text = run(*command)
    assert code != 0
    assert any('error: ' in line and message in line for line in text.splitlines())
    assert 'Traceback' not in text


ASK_ALL = """
import runpy, sys
for tool in sys.argv[1:]:
    sys.argv = [tool, '--help']
    try:
        runpy.run_path(tool, run_name='__main__')
    except SystemExit as end:
        print(f'{tool} ended with {end.code}')
"""


def test_every_command_has_help():
    """In one process, since each alone spends its time on loading PyTorch and MMPretrain."""
    tools = [str(path) for path in sorted((ROOT / 'tools').glob('*.py'))]
    done = subprocess.run(
        [sys.executable, '-c', ASK_ALL, *tools],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    text = '\n' + done.stdout
    for tool in tools:
        answer, text = text.split(f'\n{tool} ended with 0\n')
        assert answer.removeprefix('\n').startswith('usage: '), tool
        text = '\n' + text
    assert text == '\n'
    assert done.stderr == ''


def test_no_switch_of_mmpretrains_tools_is_missing():
    theirs = Path(mmpretrain.__file__).parent / '.mim' / 'tools'
    for tool in ('train.py', 'test.py'):
        switches = set(re.findall(r"'(--[a-z-]+)'", (theirs / tool).read_text()))
        assert len(switches) > 8
        ours = (ROOT / 'tools' / tool).read_text() + Path(command_line.__file__).read_text()
        assert switches <= set(re.findall(r"'(--[a-z-]+)'", ours))


def test_a_config_is_found_by_its_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = str(ROOT / CONFIG)
    names = ('protopnet/resnet10t_birds.py', CONFIG)
    assert [str(find_config(name)) for name in names] == [found] * 2
    own = tmp_path / 'protopnet'
    own.mkdir()
    (own / 'resnet10t_birds.py').touch()
    assert find_config('protopnet/resnet10t_birds.py') == Path('protopnet/resnet10t_birds.py')


def test_every_tool_says_what_is_wrong_with_a_config(birds, monkeypatch):
    """Names and values at once; what a part makes of its settings only where it is built."""
    monkeypatch.setattr(sys, 'argv', ['tools/explain.py'])

    def loaded(setting):
        options = [f'data_root={birds}', setting]
        return load_config(config_parser('').parse_args([CONFIG, '--cfg-options', *options]))

    for setting in ('model.head.foo=3', 'push_dataloader.foo=3', 'test_evaluator.topk=one'):
        with pytest.raises(SystemExit, match=f'error: {setting.split("=")[0]}'), one_line_errors():
            loaded(setting)
    for setting in ('launcher=pytorch', 'custom_imports.imports=x', 'interpolation=x'):
        with pytest.raises(InputListError, match=f'{setting.split("=")[0]} has no effect: '):
            loaded(setting)
    with (
        pytest.raises(SystemExit, match=r'error: model.backbone.foo=3 is not taken: remove it$'),
        one_line_errors(),
    ):
        MODELS.build(loaded('model.backbone.foo=3').model)
    with pytest.raises(ZeroDivisionError), one_line_errors():
        assert 1 / (loaded('model.head.cal_acc=False').get('no_such') or 0)  # a fault of ours


def test_workers_and_pinned_memory_can_be_left_out():
    args = config_parser('').parse_args(
        [CONFIG, '--no-pin-memory', '--no-persistent-workers', '--cfg-options',
         'train_dataloader.num_workers=2', 'train_dataloader.pin_memory=True']
    )  # fmt: skip
    loader = load_config(args).train_dataloader
    assert (loader.pin_memory, loader.persistent_workers) == (False, False)


def test_a_path_keeps_its_blanks_and_commas():
    args = config_parser('').parse_args(
        ['c.py', '--cfg-options', 'data_root=my birds, all', 'scale=64x96', 'a.b=[1,2]', 'c=3',
         'work_dir=3', 'load_from=a, b']
    )  # fmt: skip
    assert args.cfg_options == {
        'data_root': 'my birds, all', 'scale': '64x96', 'a.b': [1, 2], 'c': 3, 'work_dir': '3',
        'load_from': 'a, b',
    }  # fmt: skip
    args = config_parser('').parse_args(['c.py', '--cfg-options', 'load_from=None'])
    assert args.cfg_options == {'load_from': None}


def test_a_path_that_a_config_cannot_hold_is_refused():
    args = config_parser('').parse_args([str(ROOT / CONFIG), '--cfg-options', "data_root=it's"])
    with pytest.raises(InputError, match='no quotes, backslashes'):
        load_config(args)


def test_an_option_without_a_value_is_named(capsys):
    with pytest.raises(SystemExit):
        config_parser('').parse_args(['c.py', '--cfg-options', 'data_root'])
    assert 'data_root: give KEY=VALUE' in capsys.readouterr().err


@pytest.mark.parametrize('value', ['[dict(stage="joint",epochs=3)]', '[[1,2]'])
def test_a_value_that_cannot_be_read_is_named(capsys, value):
    with pytest.raises(SystemExit):
        config_parser('').parse_args(['c.py', '--cfg-options', f'a.b={value}'])
    assert f'error: --cfg-options a.b={value}: give a list as' in capsys.readouterr().err
