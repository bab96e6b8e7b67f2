"""Training by tools/train.py on one process, and by tools/dist_train.sh on several."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from mmproto.engine.push_record import PushRecord, epoch_folder
from tests.command import ROOT, run_command

# What the images show, over and over. With one label each, the last batch of an epoch is uneven.
SETS = ((0,), (1,), (2,), (0, 2), (), (1,))

# No augmentation, batch norm that stands still, an optimizer that shows a wrong scale of the
# gradient, since Adam's steps are the same at any, and a validation set that is padded.
CONFIG = """
_base_ = '{root}/configs/protopnet/{base}.py'
custom_imports = dict(imports=['mmproto', 'tests.toy'], allow_failed_imports=False)
alone = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(dataset=dict(_delete_=True, **_base_.push_dataloader.dataset), **alone)
push_dataloader = test_dataloader = alone
val_dataloader = dict(dataset=dict(indices=7), **alone)
model = dict(
    data_preprocessor=dict(mean=[127] * 3, std=[60] * 3),
    backbone=dict(_delete_=True, type='ConvBackbone', channels=16, batch_norm=True),
    neck=dict(out_channels=16),
    head=dict(in_channels=16, prototypes_per_class=2),
)
rates = dict(backbone=dict(lr=1e-2), neck=dict(lr=1e-2), prototypes=dict(lr=1e-2))
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='SGD', momentum=0.9),
    schedule=dict(epochs=4, push_epochs=[1, 3]),
    stages=dict(joint=rates),
)
randomness = dict(seed=0)
"""
SHARDED = """
_base_ = 'config.py'
custom_hooks = [*_base_.custom_hooks, dict(type='ShardedPrototypesHook')]
"""
HANGS = """
_base_ = 'config.py'
env_cfg = dict(dist_cfg=dict(timeout=60))
custom_hooks = [*_base_.custom_hooks, dict(type='StopsItself', rank=1, iteration=5)]
"""


def draw_images(root, several):
    """Noise with a square for each label; one label an image, or any number."""
    rng, lines = np.random.default_rng(0), []
    for i, labels in enumerate(10 * SETS):
        pixels = rng.integers(0, 120, (32, 32, 3), dtype=np.uint8)
        for label in labels:
            row, column = 10 * label + rng.integers(0, 4), rng.integers(0, 24)
            square = pixels[row : row + 8, column : column + 8]  # no two equal patches
            square[:] = (250, 200 - 80 * label, 40 + 90 * label) - square // 3
        if several or len(labels) == 1:
            Image.fromarray(pixels).save(root / f'{i}.png')
            lines.append(f'{i}.png {",".join(map(str, labels)) or "-"}')
    (root / 'annotations.txt').write_text('\n'.join(lines))
    (root / 'classes.txt').write_text('upper\nmiddle\nlower\n')


def options(folder, processes):
    """Where to train, and in batches of 24 images over all processes."""
    return [
        '--work-dir', folder / f'on {processes}', '--cfg-options',
        f'data_root={folder / "images"}', f'train_dataloader.batch_size={24 // processes}',
        'default_hooks.checkpoint.max_keep_ckpts=-1',
    ]  # fmt: skip


def run(*command, launcher=('bash',), **env):
    env = dict(SCALE='32x32', OMP_NUM_THREADS='1', **env)
    code, text = run_command(*command, launcher=launcher, **env)
    assert code == 0, text


def train(folder, processes, port, name='config'):
    """Train on that many processes of one machine."""
    config = folder / f'{name}.py'
    if processes == 1:
        run('tools/train.py', config, *options(folder, 1), launcher=[sys.executable])
    else:
        given = options(folder, processes)
        run('tools/dist_train.sh', config, processes, *given, PORT=str(port))


def trained(work_dir):
    """The states of the four epochs, and the records of both pushes."""
    states = [torch.load(work_dir / f'epoch_{i}.pth')['state_dict'] for i in (1, 2, 3, 4)]
    records = [PushRecord.load(epoch_folder(work_dir, i)) for i in (2, 4)]
    return states, records


def check_the_same(folder, processes):
    """That a training on several processes is that on one."""
    (one, pushes), (many, others) = (trained(folder / f'on {n}') for n in (1, processes))
    for epoch, (alone, together) in enumerate(zip(one, many), start=1):
        for name, value in alone.items():
            off = (together[name].double() - value.double()).abs().flatten().tolist()
            # A solved bias is tens of points large, and as exact in proportion.
            most = 1e-5 * max([1.0, *value.double().abs().flatten().tolist()])
            assert max(off, default=0) <= most, (epoch, name, max(off))
    moved = (one[-1]['backbone.conv.weight'] - one[0]['backbone.conv.weight']).abs().max()
    assert moved > 1e-3
    for ours, theirs in zip(pushes, others):
        assert theirs.before == pytest.approx(ours.before, abs=1e-3)
        assert theirs.after == pytest.approx(ours.after, abs=1e-3)
        assert theirs.certificate == ours.certificate


def write_config(folder, base):
    (folder / 'images').mkdir()
    draw_images(folder / 'images', several='findings' in base)
    (folder / 'config.py').write_text(CONFIG.format(root=ROOT, base=base))


@pytest.mark.slow
@pytest.mark.parametrize(
    ('base', 'numbers'), [('resnet34_folder', (2, 4)), ('resnet34_findings_folder', (2,))]
)
def test_processes_train_as_one_does_in_batches_of_all(tmp_path, base, numbers):
    """Prototypes that begin at patches, steps, an uneven last batch, pushes and the solver.

    And so do processes among which the prototypes are shared out.
    """
    write_config(tmp_path, base)
    for processes in (1, *numbers):
        train(tmp_path, processes, 29690 + processes)
    for processes in numbers:
        check_the_same(tmp_path, processes)
    (tmp_path / 'on 2').rename(tmp_path / 'without shares')
    (tmp_path / 'sharded.py').write_text(SHARDED)
    train(tmp_path, 2, 29699, 'sharded')
    check_the_same(tmp_path, 2)


@pytest.fixture(name='nodes')
def nodes_fixture():
    """Two network namespaces joined by a cable: their names and their ends of the cable."""
    names, ends = ([f'{kind}{i}p{os.getpid()}' for i in (0, 1)] for kind in ('node', 'end'))
    ip = shutil.which('ip')
    if ip is None or subprocess.run([ip, 'netns', 'add', names[0]], check=False).returncode:
        pytest.skip('network namespaces need iproute2 and root')
    try:
        commands = [
            f'netns add {names[1]}',
            f'link add {ends[0]} netns {names[0]} type veth peer name {ends[1]} netns {names[1]}',
        ]
        for i in (0, 1):
            commands += [
                f'-n {names[i]} addr add 10.77.0.{i + 1}/24 dev {ends[i]}',
                f'-n {names[i]} link set {ends[i]} up',
                f'-n {names[i]} link set lo up',
            ]
        for command in commands:
            subprocess.run([ip, *command.split()], check=True)
        yield list(zip(names, ends))
    finally:
        for name in names:
            subprocess.run([ip, 'netns', 'del', name], check=False)


@pytest.mark.slow
def test_two_nodes_train_as_one_process_does(tmp_path, nodes):
    write_config(tmp_path, 'resnet34_folder')
    train(tmp_path, 1, None)

    def one_node(rank):
        name, end = nodes[rank]
        run(
            'tools/dist_train.sh', tmp_path / 'config.py', 1, *options(tmp_path, 2),
            launcher=['ip', 'netns', 'exec', name, 'bash'], GLOO_SOCKET_IFNAME=end,
            NNODES='2', NODE_RANK=str(rank), MASTER_ADDR='10.77.0.1', PORT='29500',
        )  # fmt: skip

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one_node, (0, 1)))
    check_the_same(tmp_path, 2)


@pytest.mark.slow
def test_a_process_that_hangs_is_named(tmp_path):
    write_config(tmp_path, 'resnet34_folder')
    (tmp_path / 'hangs.py').write_text(HANGS)
    code, text = run_command(
        'tools/dist_train.sh', tmp_path / 'hangs.py', 3, *options(tmp_path, 3),
        launcher=['bash'], SCALE='32x32', OMP_NUM_THREADS='1', PORT='29697',
    )  # fmt: skip
    assert code != 0
    (line,) = (line for line in text.splitlines() if line.startswith('error: '))
    stopped = re.search(r'process (\d+) stops itself', text)[1]
    assert line.startswith(f'error: rank 1 (process {stopped} on ')
    assert 'hangs, or was killed: the others waited for it in vain in epoch 3, iteration 6' in line
    assert 'Traceback' not in text[: text.index(line)]
