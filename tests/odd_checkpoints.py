"""Checkpoints as no training saves them: damaged, of something else, or written to do harm."""

import copy
import io
import os
import zipfile

import numpy as np
import torch
from mmengine.logging import HistoryBuffer


class RunsCode:
    """Unpickles to a call."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f'touch {self.mark}',)


def as_bytes(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def compressed(data):
    """The same archive, deflated."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, 'w', 8) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return file.getvalue()


def without_data(data):
    """The archive, the first weights of which are gone."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, 'w', 0) as new:
        for name in old.namelist():
            if not name.endswith('/data/0'):
                new.writestr(name, old.read(name))
    return file.getvalue()


def odd_files(saved, mark):
    """Files that are no checkpoints, as bytes by name.

    Args:
        saved: A checkpoint as a training saves it.
        mark: The file that appears if one of them can run code.
    """
    whole = as_bytes(saved)
    return {
        'empty': b'',
        'text': b'no weights at all\n',
        'binary': np.random.default_rng(0).bytes(5000),
        'half': whole[: len(whole) // 2],
        'all but the end': whole[:-100],
        'an empty archive': as_bytes({})[:0] + b'PK\x05\x06' + bytes(18),
        'compressed': compressed(whole),
        'without data': without_data(whole),
        'code': as_bytes(dict(saved, extra=RunsCode(mark))),
        'code instead of weights': as_bytes(RunsCode(mark)),
        'a tensor': as_bytes(torch.zeros(3)),
        'a list': as_bytes([saved['state_dict']]),
        'a number': as_bytes(3),
        'none': as_bytes(None),
        'an empty dict': as_bytes({}),
    }


def with_entry(saved, path, value):
    """A copy of a checkpoint with another value at keys joined by '/'; DELETED for none."""
    odd = copy.deepcopy(saved)
    place = odd
    *above, last = path
    for key in above:
        place = place[key]
    if value is DELETED:
        place.pop(last, None)
    else:
        place[last] = value
    return odd


DELETED = object()
KINDS = dict(
    text='x', number=-7, real=0.5, none=None, true=True, list=[1, 'a'], dict={'a': 1},
    nan=float('nan'), huge=10**30, empty={}, tensor=torch.zeros(2, 2), deleted=DELETED,
)  # fmt: skip


def odd_tensors(tensor):
    """Tensors and others in the place of one, by name."""
    values = tensor.float()
    return {
        'a longer one': torch.cat([values.flatten(), torch.ones(1)]),
        'a number alone': torch.tensor(1.0),
        'nothing': values.flatten()[:0],
        'half precision': values.half(),
        'whole numbers': values.long(),
        'no numbers': values * float('nan'),
        'infinite': values + float('inf'),
        'very large': torch.full_like(values, 3e38),
        'sparse': values.flatten().to_sparse(),
        'complex': values + 1j,
        'quantised': torch.quantize_per_tensor(values, 0.1, 0, torch.qint8),
        'expanded': torch.zeros(1).expand(10**6, 10**6),
        'meta': torch.empty(values.shape, device='meta'),
        **{name: value for name, value in KINDS.items() if name not in ('tensor', 'deleted')},
    }


def odd_parts(saved, weight):
    """Checkpoints with one odd part.

    Args:
        saved: A checkpoint as a training saves it.
        weight: Names of entries of its state dict.
    """
    places = [
        ('state_dict',), ('meta',), ('meta', 'epoch'), ('meta', 'iter'), ('meta', 'seed'),
        ('meta', 'dataset_meta'), ('meta', 'dataset_meta', 'classes'), ('meta', 'cfg'),
        ('meta', 'config'), ('message_hub',), ('message_hub', 'log_scalars'),
        ('message_hub', 'runtime_info'), ('message_hub', 'resumed_keys'),
        ('message_hub', 'runtime_info', 'best_score'),
        ('message_hub', 'runtime_info', 'best_ckpt'),
        ('message_hub', 'runtime_info', 'keep_ckpt_ids'),
        ('message_hub', 'runtime_info', 'iter'), ('optimizer',), ('param_schedulers',),
    ]  # fmt: skip
    for path in places:
        try:
            place = saved
            for key in path[:-1]:
                place = place[key]
        except KeyError:
            continue
        for name, value in KINDS.items():
            yield f'{"/".join(path)} {name}', with_entry(saved, path, value)
    for name in weight:
        for what, value in odd_tensors(saved['state_dict'][name]).items():
            yield f'{name} {what}', with_entry(saved, ('state_dict', name), value)
    yield 'names that are numbers', dict(saved, state_dict={1: torch.zeros(2)})
    yield (
        'other names',
        dict(saved, state_dict={f'x.{k}': v for k, v in saved['state_dict'].items()}),
    )
    yield 'the bare state dict', saved['state_dict']
    yield (
        'a log of texts',
        with_entry(saved, ('message_hub', 'log_scalars'), {'train/loss': _broken_history()}),
    )


def _broken_history():
    history = HistoryBuffer([1.0], [1])
    history._log_history = 'x'
    return history
