"""Work-arounds for what mmproto stands on; ``import mmproto`` applies them once.

MMEngine 0.10.7 and MMPretrain 1.2.0 stand still, while torch, NumPy, setuptools and transformers
go on. Each function mends one thing, and names the version that makes it unnecessary. Which
versions work together is in ``docs/compatibility.md``.
"""

import os
import warnings
from collections.abc import Callable
from functools import partial, wraps
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mmcv
import mmengine
import mmpretrain
import numpy as np
import torch
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner, checkpoint
from mmpretrain.utils import dependency

from mmproto.errors import InputError
from mmproto.utils.checkpoint_file import (
    as_data,
    checkpoint_folder,
    keep_own_checkpoints,
    readable_checkpoint,
)
from mmproto.utils.files import write_durably

_STATISTICS = {
    name: getattr(HistoryBuffer, name) for name in ('min', 'max', 'mean', 'current', 'statistics')
}


def apply_workarounds() -> None:
    """Apply every work-around of this module."""
    hide_mmcv_lite_warning()
    find_packages_without_setuptools()
    leave_out_multimodal_models()
    allow_log_history()
    keep_loading_weights_only()
    read_checkpoints_as_data()
    remove_own_checkpoints_alone()
    refuse_circles_of_configs()
    turn_hue_both_ways()
    write_files_whole()


def hide_mmcv_lite_warning() -> None:
    """Hide what mmcv-lite, which is all that is needed, says at its import that it lacks.

    Unnecessary with the full mmcv, and with onedl-mmcv, whose build has its operators.
    """
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')


def find_packages_without_setuptools() -> None:
    """Let MMEngine find installed packages, as for ``_base_ = 'mmpretrain::...'``.

    MMEngine 0.10.7 asks ``pkg_resources``, which setuptools 82 has dropped. Unnecessary with
    onedl-mmengine 0.10.12.
    """
    if find_spec('pkg_resources') is not None:
        return
    for module in (mmengine.utils.package_utils, mmengine.utils, mmengine.config.config):
        module.is_installed = is_installed
        module.get_installed_path = get_installed_path


def is_installed(package: str) -> bool:
    """Whether there is a package of this name, or a distribution such as ``mmcv-lite``."""
    try:
        distribution(package)
    except PackageNotFoundError:
        spec = find_spec(package)
        return spec is not None and spec.origin is not None
    return True


def get_installed_path(package: str) -> str:
    """Return the folder of a package.

    Args:
        package: Its name, or the name of the distribution that brings it.

    Raises:
        PackageNotFoundError: If it is not installed.
        RuntimeError: If it is a namespace package, which has no folder of its own.
    """
    spec = find_spec(package)
    if spec is None:
        spec = find_spec((distribution(package).read_text('top_level.txt') or package).split()[0])
    if spec is None or spec.origin is None:
        raise RuntimeError(f'{package} has no folder of its own')
    return str(Path(spec.origin).parent)


def leave_out_multimodal_models() -> None:
    """Keep MMPretrain from importing its multimodal models where their import would fail.

    It imports them as soon as pycocotools and transformers are installed. Those of MMPretrain
    1.2.0 ask transformers for names that 4.52 has dropped, those of onedl-mmpretrain 1.3 for names
    that 5 has dropped. Unnecessary with a release that fits transformers 5.
    """
    dropped = '4.52' if mmengine.digit_version(mmpretrain.__version__) < (1, 3) else '5'
    if dependency.satisfy_requirement(f'transformers>={dropped}'):
        dependency.WITH_MULTIMODAL = False


def _history_statistic(owner: type, name: str) -> Callable:
    """Stands in for ``getattr`` in a checkpoint: looks up a method of the log history only."""
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise ValueError(f'a checkpoint may not look up {name!r} of {owner!r}')
    return _STATISTICS[name]


def allow_log_history() -> None:
    """Let checkpoints carry the log history that MMEngine puts into each of them.

    A history is a few NumPy arrays and the names of four methods. The latter are pickled as
    calls of ``getattr``, which would give a checkpoint every attribute of every allowed object;
    it is replaced by a look-up that knows these methods alone. Nothing else is allowed, and
    ``weights_only`` stays on. Unnecessary with a MMEngine that leaves the history out.
    """
    reconstruct: Any = np.zeros(0).__reduce__()[0]
    scalar: Any = np.float64(0).__reduce__()[0]
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            (_history_statistic, 'builtins.getattr'),
            np.ndarray,
            np.dtype,
            type(np.dtype(np.float64)),
            type(np.dtype(np.int64)),
            *[
                (function, f'{module}.{function.__name__}')
                for function in (reconstruct, scalar)
                # NumPy 2 renamed the module; checkpoints outlive versions.
                for module in ('numpy.core.multiarray', 'numpy._core.multiarray')
            ],
        ]
    )


def keep_loading_weights_only() -> None:
    """Let a checkpoint that is refused stay refused, and one from an address be checked as well.

    onedl-mmengine (seen in 0.10.12) loads it once more with ``weights_only`` off, by which it may
    run code. MMEngine does not, but loads what it downloads that way, as ``torch.hub`` does by
    default. Unnecessary with the releases that remove this.
    """
    if hasattr(checkpoint, '_safe_torch_load'):
        checkpoint._safe_torch_load = torch.load
    checkpoint.load_url = partial(torch.hub.load_state_dict_from_url, weights_only=True)


def read_checkpoints_as_data() -> None:
    """Let every checkpoint that MMEngine loads, for whatever use, be refused or be data.

    MMEngine 0.10.7 takes what a file holds as it is, and executes the config in it when a training
    goes on. Unnecessary with one that does neither.
    """
    load = checkpoint.CheckpointLoader.load_checkpoint

    def load_checkpoint(filename: str, map_location: Any = None, logger: Any = 'current') -> dict:
        with readable_checkpoint(str(filename)):
            return as_data(load(str(filename), map_location, logger), str(filename))

    checkpoint.CheckpointLoader.load_checkpoint = load_checkpoint


def remove_own_checkpoints_alone() -> None:
    """Let a training that goes on remove no checkpoint but those in its own folder.

    MMEngine 0.10.7 takes the paths of the best checkpoint and the numbers of the last ones from
    the checkpoint, and removes these files once there are better or newer ones: in another folder
    they are another training's, or whatever somebody has written there.
    """
    before_train = CheckpointHook.before_train

    def in_own_folder(self: CheckpointHook, runner: Runner) -> None:
        folder = checkpoint_folder(self.out_dir, runner.work_dir)
        keep_own_checkpoints(runner.message_hub.runtime_info, folder)
        before_train(self, runner)

    CheckpointHook.before_train = in_own_folder


def refuse_circles_of_configs() -> None:
    """Let a config that is its own base be refused at once.

    MMEngine 0.10.7 reads it again and again, for 40 s, until Python allows no deeper call.
    """
    Config._file2dict = staticmethod(_read_once(Config._file2dict))
    Config._parse_lazy_import = staticmethod(_read_once(Config._parse_lazy_import))


def _read_once(read: Callable) -> Callable:
    reading: list[str] = []

    @wraps(read)
    def read_once(filename: str, *args: Any, **kwargs: Any) -> tuple:
        file = os.path.realpath(os.path.expanduser(filename))
        if file in reading:
            circle = ' -> '.join([*reading[reading.index(file) :], file])
            raise InputError(f'{file} is a base of itself ({circle}): remove one of these bases')
        reading.append(file)
        try:
            return read(filename, *args, **kwargs)
        finally:
            reading.pop()

    return read_once


def turn_hue_both_ways() -> None:
    """Let MMCV, and with it ``ColorJitter``, turn a hue by less than zero.

    MMCV 2 makes -15 an unsigned byte, which NumPy 2 refuses. Back by a part of a turn is half a
    turn and the rest of the other half on.
    """
    adjust = mmcv.adjust_hue

    def adjust_hue(img: np.ndarray, hue_factor: float, backend: str | None = None) -> np.ndarray:
        if -0.5 <= hue_factor < 0:
            return adjust(adjust(img, 0.5, backend), 0.5 + hue_factor, backend)
        return adjust(img, hue_factor, backend)

    mmcv.adjust_hue = adjust_hue


def write_files_whole() -> None:
    """Let MMEngine write beside a file and rename it, so that a kill leaves no part of one.

    Checkpoints, metrics and predictions go this way. Unnecessary with a MMEngine that does so.
    """

    def put(self: LocalBackend, obj: bytes, filepath: str | Path) -> None:
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        write_durably(Path(filepath), obj)

    def put_text(
        self: LocalBackend, obj: str, filepath: str | Path, encoding: str = 'utf-8'
    ) -> None:
        put(self, obj.encode(encoding), filepath)

    LocalBackend.put, LocalBackend.put_text = put, put_text
