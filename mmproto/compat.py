"""Loads MMEngine's checkpoints with ``torch.load``'s weights-only check on."""

from collections.abc import Callable

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

_STATISTICS = {
    name: getattr(HistoryBuffer, name) for name in ('min', 'max', 'mean', 'current', 'statistics')
}


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
    ``weights_only`` stays on.
    """
    reconstruct = np.zeros(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
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
