"""Reads a config with settings of one's own, for the command lines and for Python alike."""

import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict

from mmproto.apis.config_check.sections import READ
from mmproto.datasets.data_root import data_folder
from mmproto.datasets.scale import fit_scale
from mmproto.errors import InputError, InputListError
from mmproto.model_index import index_root
from mmproto.models.backbones.timm_names import check_backbone
from mmproto.utils.files import existing_checkpoint
from mmproto.utils.option_names import misspelt_names

# Settings that other settings follow from, and the variables that the config files read them by.
DERIVED = dict(data_root='DATA_ROOT', scale='SCALE', in_channels='IN_CHANNELS', group='GROUP')
# MMEngine pastes the others into the text of the config file; this one is read by Python.
READ_BY_PYTHON = {'group'}
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader', 'push_dataloader')


def load_config(
    config: str | Path,
    *,
    data_root: str | Path | None = None,
    scale: tuple[int, int] | str | None = None,
    backbone: str | None = None,
    num_classes: int | None = None,
    work_dir: str | Path | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    misspelt: list[str] | None = None,
) -> Config:
    """Read a config file, with what is set here in its place.

    .. code:: python

        cfg = load_config(
            'configs/protopnet/resnet34_folder.py', data_root='data/birds', backbone='resnet18'
        )
        checked_runner(cfg).train()

    What is None stays as the config has it.

    Args:
        config: The file; where there is none of that name, the one that comes with mmproto, so
            that 'protopnet/vgg19_cub.py' is found from any folder.
        data_root: The folder of the data; whatever follows from it in the config does so.
        scale: Width and height of the network's input in pixels, or 'network' for what the network
            was trained with, likewise.
        backbone: Name of a timm model.
        num_classes: How many classes there are; the configs of folders count them themselves.
        work_dir: Where logs and checkpoints go; if the config does not say, 'work_dirs/' and its
            place in the folder 'configs', such as 'work_dirs/protopnet/vgg19_cub'.
        cfg_options: Any other setting by its dotted name, as ``--cfg-options`` takes it.
        misspelt: Where a line for each misspelt name in ``cfg_options`` goes, which is then left
            out, to be told with whatever else is wrong; they are raised if None.

    Raises:
        InputError: If there is no such file, backbone or checkpoint to load from, or if the
            config has no such setting.
    """
    file = find_config(config)
    derived = dict(data_root=data_root, scale=scale)
    options = {
        **(cfg_options or {}),
        **{name: value for name, value in derived.items() if value is not None},
    }
    cfg, lines = _read_config(file, options)
    with _told_with(lines):
        if backbone is not None:
            _set_backbone(cfg, backbone)
        if num_classes is not None:
            settings = ('model.head.num_classes', 'data_preprocessor.num_classes')
            cfg.merge_from_dict(dict.fromkeys(settings, num_classes))
        check_backbone(cfg)
        fit_scale(cfg, chosen='scale' in options or DERIVED['scale'] in os.environ)
        if cfg.get('load_from') is not None:
            if not isinstance(cfg.load_from, str):
                raise InputError(f'load_from={cfg.load_from!r}: give the file of a checkpoint')
            existing_checkpoint(cfg.load_from)
    if misspelt is not None:
        misspelt += lines
    elif lines:
        raise InputListError(*lines)
    given = cfg.get('work_dir') if work_dir is None else work_dir
    cfg.work_dir = str(_default_work_dir(file) if given is None else given)
    if not cfg.work_dir:
        raise InputError(f'work_dir={cfg.work_dir!r}: name a folder, or leave it out')
    for name in LOADERS:
        if isinstance(cfg.get(name), Mapping):
            cfg[name] = _loader_config(cfg[name])
    return cfg


@contextmanager
def _told_with(lines: list[str]) -> Iterator[None]:
    """Let what is wrong in here be told together with what was found before."""
    try:
        yield
    except InputError as error:
        raise InputListError(*lines, *error.args) from error


def find_config(config: str | Path) -> Path:
    """Return a config file of the user's, or one that comes with mmproto.

    Raises:
        InputError: If there is neither.
    """
    root = index_root()
    folders = [root, root / 'configs'] if root else []
    for file in (Path(config), *(folder / config for folder in folders)):
        if file.is_file():
            return file
    raise InputError(
        f'there is no config file {config}' + (f', here or in {folders[-1]}' if folders else '')
    )


def _default_work_dir(file: Path) -> Path:
    """Return a place of a config's own: a ProtoPNet and its baseline have the same name."""
    parts = file.resolve().with_suffix('').parts
    inside = parts[len(parts) - parts[::-1].index('configs') :] if 'configs' in parts else ()
    return Path('work_dirs', *(inside or parts[-1:]))


def _read_config(file: Path, options: Mapping[str, Any]) -> tuple[Config, list[str]]:
    """Read the config file with the options; those in ``DERIVED`` reach all that follows.

    Returns:
        The config, and a line for each option that is left out as its name is misspelt.
    """
    derived = {name: _text(options[name]) for name in DERIVED if name in options}
    if 'data_root' in derived:
        derived['data_root'] = data_folder(derived['data_root'])
    for name, value in derived.items():
        if not value:
            raise InputError(f'{name}={value!r}: give a value, or leave it out')
        if name not in READ_BY_PYTHON and set(value) & set('\'"\\\n\r'):
            raise InputError(
                f'{name}={value}: a config takes no quotes, backslashes or line ends in it; '
                'rename the folder, or link to it'
            )
    with _environment({DERIVED[name]: value for name, value in derived.items()}):
        cfg = _from_file(file)
    for name, value in derived.items():
        read = cfg.get(name)
        if read is None or value != _text(read):
            raise InputError(
                f'{name}={value}: {file} does not read it; set what it stands for in each '
                'loader instead, such as test_dataloader.dataset'
            )
    others = {name: value for name, value in options.items() if name not in derived}
    # This one is no setting but a variable, where a file has it: fit_scale reads it.
    read = READ - ({'interpolation'} - cfg.keys())
    misspelt = misspelt_names(cfg.to_dict(), others, read)
    for name, value in others.items():
        try:
            cfg.merge_from_dict({name: value} if name not in misspelt else {})
        except (AttributeError, LookupError, TypeError):  # MMEngine merges dicts, not texts
            raise InputError(
                f'--cfg-options {name}={value!r}: that cannot be put there; set one of its '
                'settings, or the whole list'
            ) from None
    return cfg, [*misspelt.values()]


def _from_file(file: Path) -> Config:
    """Read a config file, whose code may do anything, as may what it imports.

    Raises:
        InputError: If that, or MMEngine with what comes out of it, fails.
    """
    try:
        return Config.fromfile(file)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        lines = str(error).strip().splitlines() or ['']
        what = f'{type(error).__name__}: {lines[0][:200]}'
        frames = traceback.extract_tb(error.__traceback__)
        inside = [frame for frame in frames if frame.name == '<module>']
        place = f' in {inside[-1].filename}, line {inside[-1].lineno}' if inside else ''
        raise InputError(f'{file} cannot be read as a config: {what}{place}') from error


def _text(value: Any) -> str:
    """Return a setting as the environment has it: width and height as '320x256'."""
    return 'x'.join(map(str, value)) if isinstance(value, tuple | list) else str(value)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment in here, and leave it as it was."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _set_backbone(cfg: Config, name: str) -> None:
    """Take another model of timm, where the config has one."""
    settings = (cfg.get('model') or {}).get('backbone') or ConfigDict()
    if 'model_name' not in settings:
        raise InputError(
            f'backbone={name!r} is the name of a timm model, but model.backbone of {cfg.filename} '
            f'is of the type {settings.get("type")}: set its own arguments by cfg_options'
        )
    settings.model_name = name


def _loader_config(loader: ConfigDict) -> ConfigDict:
    """Fill a loader's config with MMPretrain's defaults; workers persist if there are some."""
    defaults = ConfigDict(
        pin_memory=torch.cuda.is_available(),
        persistent_workers=loader.get('num_workers', 0) not in (0, None),
        collate_fn=dict(type='default_collate'),
    )
    return ConfigDict({**defaults, **loader})
