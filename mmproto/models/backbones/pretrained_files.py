"""Files of pretrained weights that a config names: read before the model is built, found in it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import timm
import torch
from torch import Tensor, nn

from mmproto.errors import InputError
from mmproto.utils.checkpoint_file import as_data, read_checkpoint, readable_checkpoint

SHOWN = 5
INIT = 'init_cfg.checkpoint'
# MMEngine loads into what a part of the model is called, timm into its own network.
PARTS = ('backbone', 'neck', 'head')


class PretrainedFile(NamedTuple):
    """A file that a config names for a part of the model, and the setting that does."""

    setting: str
    part: str
    file: str


@contextmanager
def timm_weights(model: Any) -> Iterator[None]:
    """Build a model in here, after the files that timm will load have been read as data.

    Args:
        model: Its config, or the model itself.

    Raises:
        InputError: If such a file holds no weights, or timm cannot take them.
    """
    files = [one for one in pretrained_files(model) if not one.setting.endswith(INIT)]
    for one in files:
        read_weights(one)
    try:
        yield
    except RuntimeError as error:
        if not files:
            raise
        problem = str(error).strip().splitlines()[0]
        raise InputError(
            f'{files[0].setting}={files[0].file} is not of the network '
            f'{model["backbone"].get("model_name")} ({problem[:120]}): give weights that timm has '
            'saved of it, or its MMPretrain checkpoint to load_from'
        ) from error


def pretrained_files(model: Any) -> Iterator[PretrainedFile]:
    """Yield the files, not addresses, that a model's config loads weights from."""
    for part in PARTS:
        config = model.get(part) if isinstance(model, Mapping) else None
        if not isinstance(config, Mapping):
            continue
        overlay = config.get('pretrained_cfg_overlay') or {}
        given = {'checkpoint_path': config.get('checkpoint_path')}
        if config.get('pretrained'):
            given['pretrained_cfg_overlay.file'] = overlay.get('file')
        listed = config.get('init_cfg') or []
        for one in [listed] if isinstance(listed, Mapping) else listed:
            if isinstance(one, Mapping) and one.get('type') == 'Pretrained':
                given[INIT] = one.get('checkpoint')
        for name, file in given.items():
            if isinstance(file, str) and file and '://' not in file:
                yield PretrainedFile(f'model.{part}.{name}', part, file)


def read_weights(given: PretrainedFile) -> Mapping[str, Tensor]:
    """Read the weights of a file as those who load it do, without running any code in it.

    Raises:
        InputError: If there is no such file, or it holds no weights.
    """
    try:
        if given.setting.endswith(INIT):
            data = read_checkpoint(given.file)
            return data.get('state_dict', data)
        with readable_checkpoint(given.file):
            weights = timm.models.load_state_dict(given.file, weights_only=True)
            return as_data(weights, given.file)
    except InputError as error:
        raise InputError(f'{given.setting}: {error}') from None


def check_pretrained(model: nn.Module, config: Any) -> list[str]:
    """Check that a model that was just built has the weights of the files that its config names.

    They are known by their numbers, whatever their names: a loader may rename them. Weights that it
    adapts to other channels or sizes count as missing. Those that are the same number throughout,
    as batch norm begins, do not count.

    Args:
        model: The model, built and with its weights initialised.
        config: Its config.

    Returns:
        A line for each file that has some of the weights alone.

    Raises:
        InputError: If the part of the model has none of a file's weights.
    """
    lines = []
    for given in pretrained_files(config):
        known = {_digest(value) for value in read_weights(given).values()}
        own = dict(getattr(model, given.part).named_parameters())
        own = {name: value for name, value in own.items() if (value != value.flatten()[0]).any()}
        missing = [name for name, value in own.items() if _digest(value) not in known]
        fit = f'{len(own) - len(missing)} of {len(own)} weights of model.{given.part}'
        if own and len(missing) == len(own):
            raise InputError(
                f'{given.setting}={given.file}: none of its weights is one of model.{given.part}, '
                f'whose names are {", ".join([*own][:2])}, ...: give a file of the same network '
                'by the same library; a whole checkpoint of this model belongs to load_from, and '
                "MMPretrain's of a backbone needs prefix='backbone.' in init_cfg"
            )
        if missing:
            rest = ', ...' if len(missing) > SHOWN else ''
            lines.append(
                f'{given.setting}: {fit} are as in {given.file}; others, or adapted: '
                f'{", ".join(missing[:SHOWN])}{rest}'
            )
    return lines


def _digest(value: Tensor) -> int:
    numbers = value.detach().to('cpu', torch.float32).contiguous().numpy()
    return hash((numbers.size, numbers.tobytes()))
