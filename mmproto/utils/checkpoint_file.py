"""Checkpoints as data: nothing of a file is run, and what is in it is what it should be."""

import os.path as osp
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import torch
from torch import Tensor

from mmproto.errors import InputError
from mmproto.utils.data_file import check_data_file

STATES = ('state_dict', 'ema_state_dict')
ADVICE = 'give one that a training has saved'


def read_checkpoint(file: str) -> dict[str, Any]:
    """Read a checkpoint, or a bare state dict, without running any code that it may hold.

    Raises:
        InputError: If there is no such file, or it is no checkpoint; see :func:`as_data`.
    """
    with readable_checkpoint(file):
        return as_data(torch.load(file, map_location='cpu', weights_only=True), file)


@contextmanager
def readable_checkpoint(name: str) -> Iterator[None]:
    """Read a checkpoint in here; whatever is raised says in one line that it cannot be read.

    Args:
        name: Its file, or its address.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        if '://' not in name:
            _check_file(Path(name).expanduser())
        yield
    except (InputError, URLError):  # of an address its own line
        raise
    except FileNotFoundError:
        raise InputError(f'there is no checkpoint {name}') from None
    except Exception as error:  # a damaged file makes its reader raise anything
        raise InputError(
            f'{name} cannot be read as a checkpoint{_reason(error)}: {ADVICE}'
        ) from error


def _check_file(file: Path) -> None:
    """Raise an InputError for what is no file (a pipe would be waited for), or grows if read."""
    check_data_file(file)
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise InputError(f'{file} is compressed, as torch saves no checkpoint: {ADVICE}')


def _reason(error: Exception) -> str:
    """Return the reader's words in brackets, but not torch's on switching its check off."""
    words = str(error).strip().splitlines()
    if not words or 'weights_only' in str(error):
        return ''
    return f' ({words[0][:100]})'


def as_data(checkpoint: Any, name: str) -> dict[str, Any]:
    """Check what every use of a checkpoint stands on, and leave out what would be run.

    Args:
        checkpoint: What was in the file: a checkpoint of MMEngine, or a bare state dict.
        name: The file, for messages.

    Returns:
        The same, of plain dicts and tensors. ``meta.config`` is left out: MMEngine executes
        it when a training goes on.

    Raises:
        InputError: If it has no state dict of dense tensors of numbers, or if what it says of
            itself is of another kind than MMEngine writes.
    """
    if not isinstance(checkpoint, dict):
        raise InputError(f'{name} holds no checkpoint but a {type(checkpoint).__name__}: {ADVICE}')
    if 'state_dict' not in checkpoint:
        return _state_dict(checkpoint, 'the file', name)
    data = dict(dict.items(checkpoint))
    for key in STATES:
        if key in data:
            data[key] = _state_dict(data[key], key, name)
    if 'meta' in data:
        data['meta'] = _meta(data['meta'], name)
    return data


def _state_dict(state: Any, key: str, name: str) -> OrderedDict[str, Tensor]:
    """Return a state dict without anything that a pickle may have hung on it and its tensors."""
    if not isinstance(state, dict) or not state:
        raise InputError(f'{name}: {key} is no state dict, or an empty one: {ADVICE}')
    clean: Any = OrderedDict()
    for entry, value in dict.items(state):
        problem = _problem(entry, value)
        if problem:
            raise InputError(f'{name}: {key} has {problem} under {str(entry)[:80]!r}: {ADVICE}')
        clean[entry] = Tensor.detach(value)
    versions = vars(state).get('_metadata') if isinstance(state, OrderedDict) else None
    if isinstance(versions, dict) and all(isinstance(one, dict) for one in versions.values()):
        clean._metadata = OrderedDict(dict.items(versions))
    return clean


def _problem(entry: Any, value: Any) -> str | None:
    """Say what is wrong with an entry of a state dict."""
    if not isinstance(entry, str) or not isinstance(value, Tensor):
        return f'a {type(value).__name__} instead of a tensor'
    if value.layout != torch.strided or value.is_quantized or value.is_complex():
        return 'a tensor that is sparse, quantised or complex'
    if value.device.type == 'meta' or value.numel() * value.element_size() > (
        value.untyped_storage().nbytes()
    ):
        return 'a tensor without the numbers to fill it'
    return None


def _meta(meta: Any, name: str) -> dict[str, Any]:
    if not isinstance(meta, dict):
        raise InputError(f'{name}: meta is no dict but a {type(meta).__name__}: {ADVICE}')
    data = {key: value for key, value in dict.items(meta) if key != 'config'}
    dataset = data.get('dataset_meta')
    if dataset is not None:
        if not isinstance(dataset, dict):
            raise InputError(f'{name}: meta.dataset_meta is no dict: {ADVICE}')
        data['dataset_meta'] = dict(dict.items(dataset))
        classes = dataset.get('classes')
        if not isinstance(classes, list | tuple | None) or not all(
            isinstance(one, str | int) for one in classes or ()
        ):
            raise InputError(f'{name}: meta.dataset_meta.classes is no list of names: {ADVICE}')
    return data


def checkpoint_folder(out_dir: str | None, work_dir: str) -> str:
    """Return where MMEngine's ``CheckpointHook(out_dir=...)`` saves the checkpoints of a run."""
    if out_dir in (None, work_dir):
        return work_dir
    return osp.join(str(out_dir), osp.basename(work_dir.rstrip(osp.sep)))


def keep_own_checkpoints(info: MutableMapping[str, Any], folder: str) -> None:
    """Leave out of what a training has noted all checkpoints that are not in its folder.

    Args:
        info: What MMEngine's message hub knows of a run; changed in place.
        folder: Where the run's checkpoints go.
    """
    for name, value in [*info.items()]:
        if name == 'keep_ckpt_ids':
            numbers = value if isinstance(value, list) else []
            info[name] = [one for one in numbers if type(one) is int]
        elif name == 'last_ckpt' or name.startswith('best_ckpt'):
            own = osp.join(folder, osp.basename(value)) if isinstance(value, str) else ''
            info[name] = own if osp.isfile(own) else None
        elif name.startswith('best_score') and not isinstance(value, int | float | np.number):
            del info[name]
