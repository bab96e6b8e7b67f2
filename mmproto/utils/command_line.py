"""What the command lines in ``tools/`` share."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta
from itertools import pairwise
from typing import Any, NoReturn
from urllib.error import URLError

import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.dist import is_main_process

from mmproto import apis
from mmproto.apis.config_check.checks import check_config, check_settings
from mmproto.apis.load_config import DERIVED, LOADERS
from mmproto.errors import InputError, InputListError, Stopped
from mmproto.utils.files import existing_checkpoint, require_text

# What a disk says, however right the program is, and what helps.
ROOM = 'make room there, or give another folder'
ANOTHER = 'give another folder'
PATHS = (*DERIVED, 'load_from', 'work_dir')
DISK_ERRORS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), ROOM),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO), ANOTHER),
    **dict.fromkeys((errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG), ANOTHER),
}

# What tells each process which one it is.
LAUNCHERS = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_LOCAL_RANK')
# Options that would come too late.
READ_BEFORE = dict(
    launcher='give --launcher instead',
    custom_imports='the file has been read, and its imports made; set it there',
)
# What the tools read of a config that do not train, and the configs that they have read.
USED = ('push', 'val', 'test')
_unchecked: list[Config] = []

# Tools take MMEngine's own from here: where it is missing, mmproto says what to install.
__all__ = ['existing_checkpoint', 'get_device', 'is_main_process']


class ConfigOptions(DictAction):
    """MMEngine's, but what is in ``PATHS`` stays text: blanks and commas belong to a path."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add KEY=VALUE pairs to the options."""
        for value in values:
            if '=' not in value:
                parser.error(f'{option_string} {value}: give KEY=VALUE')
        try:
            super().__call__(parser, namespace, values, option_string)
        except (AssertionError, RecursionError, ValueError):  # of MMEngine's reader of lists
            parser.error(f'{option_string} {" ".join(values)}: give a list as KEY="[a,b]", no dict')
        texts = dict(value.split('=', 1) for value in values)
        options = getattr(namespace, self.dest)
        for name in PATHS:
            if name in texts and options[name] is not None:
                options[name] = texts[name]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End the program with one line, not a traceback, where the input or the disk is at fault."""
    try:
        with _ends_in_words():
            _unchecked.clear()
            for before, word in pairwise(sys.argv):
                require_text(word)
                if not word:
                    raise InputError(f'an empty argument follows {before}: give it a value')
            yield
    except SystemExit as end:
        if not torch.distributed.is_initialized():
            raise
        # Threads of a process group whose peers are gone can abort an interpreter that ends.
        words, status = (end.code, 1) if isinstance(end.code, str) else ('', end.code or 0)
        _leave(words, int(status))


@contextmanager
def _ends_in_words() -> Iterator[None]:
    try:
        yield
    except Stopped as stop:
        _leave(str(stop) if is_main_process() else '', stop.status)
    except KeyboardInterrupt:
        _leave('stopped' if is_main_process() else '', 128 + signal.SIGINT)
    except InputListError as errors:
        sys.exit('\n'.join(f'error: {" ".join(line.split())}' for line in errors.args))
    except InputError as error:
        # One out of a loader's worker brings the worker's traceback along; what it ends by counts.
        text = str(error).rpartition(f'{InputError.__module__}.{InputError.__name__}: ')[2]
        sys.exit(f'error: {" ".join(text.split())}')  # names of files may have line ends in them
    except LocalEntryNotFoundError:
        sys.exit(
            'error: the pretrained weights of the backbone cannot be downloaded: give a file by '
            'pretrained_cfg_overlay=dict(file=FILE) in model.backbone, or set '
            'model.backbone.pretrained=False'
        )
    except URLError as error:
        sys.exit(
            f'error: a download failed ({error.reason}): give a file instead, of a checkpoint by '
            'model.backbone.init_cfg.checkpoint=FILE, of a data set by its data_root'
        )
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        file = 'a file' if error.filename is None else error.filename
        sys.exit(f'error: {file}: {error.strerror}: {DISK_ERRORS[error.errno]}')
    except Exception:  # whatever a part makes of its settings
        findings = [one for cfg in _unchecked for one in check_config(cfg, sets=USED, needed=False)]
        if not findings:
            raise
        sys.exit('\n'.join(f'error: {one}' for one in findings))


def _leave(words: str, status: int) -> NoReturn:
    """End at once: no process may wait for another that has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if words:
        print(words, file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(status)


def config_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the arguments that MMPretrain's tools have in common."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        'config', help="config file, or the name of one of mmproto's: protopnet/vgg19_cub.py"
    )
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    add_run_options(parser)
    return parser


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how a config is run to the arguments."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        metavar='KEY=VALUE',
        help='settings that override the config, e.g. model.backbone.model_name=convnext_tiny; '
        'lists as key="[a,b]"',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', *LAUNCHERS],
        default='none',
        help='job launcher',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument(
        '--no-pin-memory', action='store_true', help='no pinned memory in any data loader'
    )
    parser.add_argument(
        '--no-persistent-workers',
        action='store_true',
        help="let the data loaders' workers end after each epoch",
    )


def checkpoint_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser that takes a checkpoint beside that."""
    parser = config_parser(description)
    parser.add_argument('checkpoint', help='checkpoint file')
    return parser


def editor_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of a tool that changes a checkpoint and saves it anew."""
    parser = checkpoint_parser(description)
    parser.add_argument('--out', required=True, metavar='NEW', help='where to save it')
    return parser


def explainer_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with what the tools that show prototypes have in common."""
    parser = checkpoint_parser(description)
    parser.add_argument(
        '--prototypes',
        metavar='DIR',
        help='images that the push has written; looked for beside the checkpoint by default',
    )
    return parser


def positive(text: str) -> int:
    """Return a whole number of at least 1, as a type of arguments."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text} is no whole number of at least 1')
    return int(text)


def not_negative(text: str) -> int:
    """Return a whole number, 0 among them, as a type of arguments."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'{text} is no whole number of at least 0')
    return int(text)


def load_config(args: argparse.Namespace, misspelt: list[str] | None = None) -> Config:
    """Return the config file with what the common arguments change.

    Args:
        args: The arguments.
        misspelt: As :func:`mmproto.apis.load_config` takes it, of one who checks the config then.
            For all others its settings are checked here, and the rest if anything fails later.

    Raises:
        InputError: As :func:`mmproto.apis.load_config`.
        InputListError: If settings are wrong.
    """
    found: list[str] = [] if misspelt is None else misspelt
    cfg = apis.load_config(
        args.config, work_dir=args.work_dir, cfg_options=args.cfg_options, misspelt=found
    )
    for option in args.cfg_options or ():
        if advice := READ_BEFORE.get(option.partition('.')[0]):
            found.append(f'--cfg-options {option} has no effect: {advice}')
    if misspelt is None:
        cfg.default_scope = cfg.get('default_scope') or 'mmpretrain'  # as these tools ever did
        found += map(str, check_settings(cfg, args.cfg_options or ()))
        if found:
            raise InputListError(*found)
        _unchecked.append(deepcopy(cfg))
    cfg.launcher = args.launcher
    for name in LOADERS:
        if cfg.get(name) is not None and args.no_pin_memory:
            cfg[name].pin_memory = False
        if cfg.get(name) is not None and args.no_persistent_workers:
            cfg[name].persistent_workers = False
    _set_up_processes(cfg, args)
    return cfg


def _set_up_processes(cfg: Config, args: argparse.Namespace) -> None:
    """Without a GPU let processes talk over gloo: MMEngine's launchers would ask for a device."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if args.launcher == 'none':
        return
    on_cpu = not torch.cuda.is_available()
    if on_cpu and args.launcher != 'pytorch':
        raise InputError(
            f'--launcher {args.launcher} needs a GPU: on CPUs start it by tools/dist_train.sh'
        )
    if on_cpu and cfg.get('sync_bn') is not None:
        raise InputError(
            f'sync_bn={cfg.sync_bn} needs GPUs: on CPUs let batch norm stand still (norm_eval=True '
            'in the stages of optim_wrapper)'
        )
    timeout = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', 1800)
    if not (isinstance(timeout, int | float) and timeout > 0):
        raise InputError(f'env_cfg.dist_cfg.timeout={timeout!r}: give seconds, such as 1800')
    if LAUNCHERS[args.launcher] not in os.environ:
        raise InputError(
            f'--launcher {args.launcher} has not started this process, which knows no '
            f'{LAUNCHERS[args.launcher]}: start it by tools/dist_train.sh, or slurm_train.sh'
        )
    if not on_cpu:
        return
    torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=timeout))
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=True,
    )
