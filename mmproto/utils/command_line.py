"""What the command lines in ``tools/`` share."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.device import get_device
from mmengine.dist import is_main_process

from mmproto.errors import InputError
from mmproto.model_index import index_root
from mmproto.models.backbones.timm_names import check_backbone
from mmproto.utils.option_names import check_names

# Tools take MMEngine's own from here: where it is missing, mmproto says what to install.
__all__ = ['get_device', 'is_main_process']

# Settings that other settings follow from, and the variables that the config files read them by.
DERIVED = dict(data_root='DATA_ROOT', scale='SCALE')
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader', 'push_dataloader')


class ConfigOptions(DictAction):
    """MMEngine's, but what is in ``DERIVED`` stays text: blanks and commas belong to a path."""

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
        super().__call__(parser, namespace, values, option_string)
        texts = dict(value.split('=', 1) for value in values)
        options = getattr(namespace, self.dest)
        options.update({name: texts[name] for name in DERIVED if name in texts})


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End the program with one line, not a traceback, where the user's input is wrong."""
    try:
        yield
    except InputError as error:
        # One out of a loader's worker brings the worker's traceback along; its last line counts.
        line = str(error).strip().splitlines()[-1]
        sys.exit(f'error: {line.removeprefix(f"{InputError.__module__}.{InputError.__name__}: ")}')
    except LocalEntryNotFoundError:
        sys.exit(
            'error: the pretrained weights of the backbone cannot be downloaded: give a file by '
            'pretrained_cfg_overlay=dict(file=FILE) in model.backbone, or set '
            'model.backbone.pretrained=False'
        )
    except URLError as error:
        sys.exit(
            f'error: a checkpoint cannot be downloaded ({error.reason}): give a file instead, such '
            'as model.backbone.init_cfg.checkpoint=FILE'
        )


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
        choices=['none', 'pytorch', 'slurm', 'mpi'],
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


def load_config(args: argparse.Namespace) -> Config:
    """Return the config file with what the common arguments change.

    Raises:
        InputError: If there is no such file, or its backbone does not exist.
    """
    cfg = _read_config(config_file(args.config), args.cfg_options or {})
    check_backbone(cfg)
    if cfg.get('load_from'):
        existing_checkpoint(cfg.load_from)
    cfg.launcher = args.launcher
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or f'work_dirs/{Path(args.config).stem}'
    for name in LOADERS:
        if cfg.get(name) is not None:
            cfg[name] = _loader_config(cfg[name])
            if args.no_pin_memory:
                cfg[name].pin_memory = False
            if args.no_persistent_workers:
                cfg[name].persistent_workers = False
    _set_up_processes(cfg, args)
    return cfg


def config_file(name: str) -> str:
    """Return the config file of this name, in the working directory or among mmproto's own.

    Raises:
        InputError: If there is none.
    """
    root = index_root()
    folders = [root, root / 'configs'] if root else []
    files = [Path(name), *(folder / name for folder in folders)]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise InputError(
            f'there is no config file {name}' + (f', here or in {root / "configs"}' if root else '')
        )
    return str(found)


def _read_config(file: str, options: dict) -> Config:
    """Read the config file with the options; those in ``DERIVED`` reach all that follows."""
    derived = {name: str(options[name]) for name in DERIVED if name in options}
    for name, value in derived.items():
        if set(value) & set('\'"\\\n'):  # MMEngine pastes it into the text of the file
            raise InputError(
                f'--cfg-options {name}={value}: a config takes neither quotes nor backslashes in '
                'it; rename the folder, or link to it'
            )
    os.environ.update({DERIVED[name]: value for name, value in derived.items()})
    cfg = Config.fromfile(file)
    for name, value in derived.items():
        read = cfg.get(name)
        if value != ('x'.join(map(str, read)) if isinstance(read, tuple | list) else read):
            raise InputError(
                f'--cfg-options {name}={value}: {file} does not read it; set what it stands for '
                'in each loader instead, such as test_dataloader.dataset'
            )
    others = {name: value for name, value in options.items() if name not in derived}
    check_names(cfg.to_dict(), others)
    cfg.merge_from_dict(others)
    return cfg


def _loader_config(loader: ConfigDict) -> ConfigDict:
    """Fill a loader's config with MMPretrain's defaults; workers persist if there are some."""
    defaults = ConfigDict(
        pin_memory=torch.cuda.is_available(),
        persistent_workers=loader.get('num_workers', 0) > 0,
        collate_fn=dict(type='default_collate'),
    )
    return ConfigDict({**defaults, **loader})


def _set_up_processes(cfg: Config, args: argparse.Namespace) -> None:
    """Without a GPU let processes talk over gloo: MMEngine's launchers would ask for a device."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if args.launcher == 'none' or torch.cuda.is_available():
        return
    if args.launcher != 'pytorch':
        raise InputError(
            f'--launcher {args.launcher} needs a GPU: on CPUs start it by tools/dist_train.sh'
        )
    torch.distributed.init_process_group('gloo')
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=True,
    )


def need_gpu(option: str) -> None:
    """Raise an InputError for an option that does nothing good on a CPU, if there is only that."""
    if get_device() == 'cpu':
        raise InputError(f'{option} needs a GPU: leave it out on a CPU')


def existing_checkpoint(path: str) -> str:
    """Return the path, if there is such a file or it is an address that MMEngine loads from.

    Raises:
        InputError: If there is no such file.
    """
    if '://' not in path and not Path(path).is_file():
        raise InputError(f'there is no checkpoint {path}')
    return path
