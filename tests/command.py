"""The command lines, run in the repository as a user runs them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

# For configs of folders: a small untrained network, and no process but this.
SMALL = [
    'model.backbone.model_name=resnet10t',
    'model.backbone.pretrained=False',
    'model.backbone.out_indices=(-2,)',
    'train_dataloader.batch_size=8',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'push_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'test_dataloader.num_workers=0',
    'test_dataloader.persistent_workers=False',
    'randomness.seed=0',
]


def run_command(*command, launcher=(sys.executable,), **env):
    """Run a command, with this Python's tools on the path.

    Returns:
        Its exit status, and what it printed.
    """
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    done = subprocess.run(
        [*launcher, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, 'PATH': path, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
