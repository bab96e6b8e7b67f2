#!/usr/bin/env python
"""Kill a training at random moments, go on with --resume, and compare with an unbroken one.

Each kill (SIGKILL to the process and its workers) has its own training of rendered birds, which
begins anew and, after the kill, ends by --resume. Everything that the two leave has to be equal:
weights, the optimizers' moments, the log's numbers, the best checkpoint, pictures and records.
"""

import argparse
import os
import random
import runpy
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault('OMP_NUM_THREADS', '1')  # or processes wait for each other by spinning

# First: it says what to install where MMPretrain is missing.
from mmproto.utils.command_line import one_line_errors, positive

# isort: split
import torch
from mmpretrain.utils import register_all_modules

from mmproto.datasets.birds import make_birds
from mmproto.errors import InputError
from mmproto.utils.files import make_writable

ROOT = Path(__file__).resolve().parents[1]
EPOCHS = 5
LOADERS = ('train_dataloader', 'push_dataloader', 'val_dataloader')
SETTINGS = [
    'model.backbone.model_name=test_resnet',
    'model.backbone.pretrained=False',
    'model.head.num_classes=3',
    'data_preprocessor.num_classes=3',
    'train_dataloader.batch_size=6',
    'train_dataloader.num_workers=2',
    'val_dataloader.num_workers=0',
    'default_hooks.checkpoint.max_keep_ckpts=2',
    'default_hooks.checkpoint.save_best=auto',
    'default_hooks.logger.interval=1',
    'train_cfg.val_interval=1',
    'scale=32x32',
]
OF_PROTOPNET = [
    'model.head.prototypes_per_class=2',
    'model.backbone.drop_path_rate=0.2',  # draws in the process itself
    'push_dataloader.num_workers=0',
    f'optim_wrapper.schedule.epochs={EPOCHS}',
    'optim_wrapper.schedule.push_epochs=[0,2,4]',
]
OF_BASELINE = [f'train_cfg.max_epochs={EPOCHS}']
# What is no result: clocks, and what names the folder and the commit.
NOT_COMPARED = {'time', 'data_time', 'eta', 'memory', 'cfg', 'experiment_name', 'mmengine_version'}


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('--kills', type=positive, default=40, metavar='N', help='how many')
    parser.add_argument('--processes', type=positive, default=1, metavar='N', help='that train')
    parser.add_argument('--baseline', action='store_true', help='train the linear head instead')
    parser.add_argument('--no-validate', action='store_true', help='as of tools/train.py')
    parser.add_argument('--seed', type=int, default=0, metavar='N', help='other moments')
    parser.add_argument('--keep', metavar='DIR', help='leave everything in this new folder')
    return parser.parse_args()


class Training:
    """One training by tools/train.py, in processes that have imported everything already."""

    def __init__(self, arguments, processes, log):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
        self.children = []
        for rank in range(processes):
            child = os.fork()
            if not child:
                self._train(arguments, rank, processes, port, log)
            self.children.append(child)

    @staticmethod
    def _train(arguments, rank, processes, port, log):
        status = 1
        try:
            os.setpgid(0, 0)
            with log.open('a') as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            if processes > 1:
                places = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=processes, MASTER_PORT=port)
                os.environ.update({key: str(value) for key, value in places.items()})
                os.environ['MASTER_ADDR'] = '127.0.0.1'
                arguments = [*arguments, '--launcher', 'pytorch']
            sys.argv = ['tools/train.py', *arguments]
            runpy.run_path(str(ROOT / 'tools/train.py'), run_name='__main__')
            status = 0
        except SystemExit as stop:
            print(stop)
        finally:
            sys.stdout.flush()
            os._exit(status)

    def wait(self):
        """Wait for the end; whether all is well."""
        statuses = [os.waitpid(child, 0)[1] for child in self.children]
        return not any(statuses)

    def kill(self):
        """Kill every process and its workers, unless one is over; whether it did."""
        over = [child for child in self.children if os.waitpid(child, os.WNOHANG)[0]]
        self.children = [child for child in self.children if child not in over]
        for child in self.children if not over else []:
            os.killpg(child, signal.SIGKILL)
        self.wait()
        return not over


def differences(one, other):
    """What two working directories do not have in common, in words; [] if they are equal."""
    files, others = results(one), results(other)
    found = [f'{name} is in one of the two' for name in sorted(files ^ others)]
    for name in sorted(files & others):
        if name.endswith('.pth'):
            a, b = (torch.load(folder / name, weights_only=True) for folder in (one, other))
            found += [f'{name}: {place}' for place in unequal(a, b)]
        elif (one / name).read_bytes() != (other / name).read_bytes():
            found.append(name)
    return found


def results(folder):
    """Names of the files that a training leaves, but for its logs and its config."""
    files = (path.relative_to(folder) for path in folder.rglob('*') if path.is_file())
    return {
        str(file) for file in files if not file.parts[0].startswith('20') and file.suffix != '.py'
    }


def unequal(one, other, place=''):
    """The places in which two checkpoints differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            difference
            for name in {**one, **other}
            if str(name).split('/')[-1] not in NOT_COMPARED
            for difference in unequal(one.get(name), other.get(name), f'{place}.{name}')
        ]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return [place]
        pairs = enumerate(zip(one, other))
        return [found for i, (a, b) in pairs for found in unequal(a, b, f'{place}.{i}')]
    if isinstance(one, str) and one.endswith('.pth'):
        one, other = Path(one).name, Path(str(other)).name
    if hasattr(one, 'data') and hasattr(one, '_log_history'):
        return unequal(torch.tensor(one.data[0]), torch.tensor(other.data[0]), place)
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return [] if torch.equal(one, other) else [place]
    return [] if one == other else [place]


def last_line(log):
    """What a training was doing, by the end of its log."""
    lines = log.read_text().splitlines() or ['nothing yet']
    return lines[-1].split(' - ')[-1][:60]


def test(args, folder):
    """Kill and compare; how many endings differ."""
    register_all_modules()  # imported here, and not by every process
    birds = make_birds(folder / 'birds', classes=3, train=8, test=4, size=64)
    config = 'baseline' if args.baseline else 'protopnet'
    options = [*SETTINGS, *(OF_BASELINE if args.baseline else OF_PROTOPNET), f'data_root={birds}']
    if args.no_validate:
        options.remove('default_hooks.checkpoint.save_best=auto')
        options.append('default_hooks.checkpoint.save_best=None')

    def training(name, *more):
        arguments = [f'{config}/resnet10t_birds.py', '--work-dir', str(folder / name), *more]
        arguments += ['--no-validate'] if args.no_validate else []
        log = folder / f'{name}.log'
        return Training([*arguments, '--cfg-options', *options], args.processes, log)

    start = time.monotonic()
    if not training('unbroken').wait():
        sys.exit(f'the unbroken training failed: {last_line(folder / "unbroken.log")}')
    length = time.monotonic() - start
    moments = random.Random(args.seed)
    print(f'{"kill":>4}  {"after":>7}  {"it had last said":60}  ending', flush=True)
    kills = differ = 0
    while kills < args.kills:
        name = f'kill_{kills + 1}'
        log = folder / f'{name}.log'
        moment = moments.uniform(0, length)
        shutil.rmtree(folder / name, ignore_errors=True)  # of one that was over too soon
        log.unlink(missing_ok=True)
        broken = training(name)
        time.sleep(moment)
        if broken.kill():  # else it was over
            kills += 1
            said = last_line(log) if log.exists() else 'nothing yet'
            whole = training(name, '--resume').wait()
            found = differences(folder / 'unbroken', folder / name) if whole else [last_line(log)]
            differ += bool(found)
            ending = f'differs: {"; ".join(found[:3])}' if found else 'equal'
            print(f'{kills:4}  {moment:5.2f} s  {said:60}  {ending}', flush=True)
        if not args.keep:
            shutil.rmtree(folder / name, ignore_errors=True)
            log.unlink(missing_ok=True)
    print(f'{kills} kills in a training of {length:.1f} s, {kills - differ} equal endings')
    return differ


def main():
    args = parse_args()
    if args.keep:
        if Path(args.keep).exists():
            raise InputError(f'--keep {args.keep} is there already: give a new folder')
        make_writable(Path(args.keep))
        differ = test(args, Path(args.keep))
    else:
        with tempfile.TemporaryDirectory() as folder:
            differ = test(args, Path(folder))
    sys.exit(bool(differ))


if __name__ == '__main__':
    with one_line_errors():
        main()
