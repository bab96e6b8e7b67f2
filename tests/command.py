"""The command lines, run in the repository as a user runs them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


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
