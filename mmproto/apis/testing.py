"""What ``tools/test.py`` does beside testing; the options mean what they mean in MMPretrain."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
from mmengine.config import Config, ConfigDict
from mmengine.dist import master_only
from mmengine.runner import Runner
from torch import Tensor

from mmproto.errors import InputError
from mmproto.evaluation.dump_predictions import DumpPredictions
from mmproto.utils.files import whole_file

PREDICTIONS = ('.pkl', '.pickle')
METRICS = ('.json', '.yaml', '.yml')


def output_item(file: str, item: str | None) -> str:
    """Return what goes to a file: 'metrics' or 'pred'.

    Args:
        file: Its name.
        item: What a user asks for; if None, the name decides.

    Raises:
        InputError: If it cannot be written to such a file.
    """
    suffix = Path(file).suffix
    if suffix not in (*PREDICTIONS, *METRICS):
        raise InputError(
            f'--out {file}: name a .pkl for the predictions, a .json or .yaml for the metrics'
        )
    if item == 'pred' and suffix in METRICS:
        raise InputError(f'--out {file} --out-item pred: predictions are written to a .pkl')
    return item or ('metrics' if suffix in METRICS else 'pred')


def show(cfg: Config, window: bool, folder: str | None, interval: int, seconds: float) -> None:
    """Let a test show every ``interval``-th image in a window, save it to a folder, or both.

    Raises:
        InputError: If there is no display, or an image would stay for a time that is none.
    """
    if window:
        from matplotlib import pyplot  # MMEngine's windows; nothing else here needs it

        if pyplot.get_backend().lower() == 'agg':
            raise InputError(
                '--show has no display for windows here: save images by --show-dir DIR'
            )
    if not 0 <= seconds < float('inf'):
        raise InputError(f'--wait-time {seconds}: give seconds, or 0 to wait for the space key')
    hooks = cfg.get('default_hooks') or {}
    hook = dict(hooks.get('visualization') or {}, enable=True, show=window, out_dir=folder)
    hook = {'type': 'VisualizationHook', **hook, 'interval': interval, 'wait_time': seconds}
    cfg.default_hooks = {**hooks, 'visualization': hook}


def augment(cfg: Config) -> None:
    """Let a test average the scores of several views of each image.

    They are those of ``tta_pipeline``, merged by ``tta_model``; where the config has none, the
    image and its mirror image, merged by MMPretrain's ``AverageClsScoreTTA``.
    """
    pipeline = cfg.test_dataloader.dataset.pipeline
    if 'tta_pipeline' not in cfg:
        flips = [dict(type='RandomFlip', prob=prob) for prob in (1.0, 0.0)]
        views = dict(type='TestTimeAug', transforms=[flips, [pipeline[-1]]])
        cfg.tta_pipeline = [*deepcopy(pipeline[:-1]), views]
    if 'tta_model' not in cfg:
        cfg.tta_model = dict(type='AverageClsScoreTTA')
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)


def dump_predictions(cfg: Config, files: Sequence[str]) -> None:
    """Let a test write its predictions to files."""
    evaluator = cfg.test_evaluator
    evaluators = evaluator if isinstance(evaluator, list) else [evaluator]
    dumps = [dict(type='DumpPredictions', out_file_path=file) for file in files]
    cfg.test_evaluator = [*evaluators, *dumps]


def check_dumped(runner: Runner) -> None:
    """Raise the OSError of predictions that could not be written."""
    for metric in runner.test_evaluator.metrics:
        if isinstance(metric, DumpPredictions) and metric.failure is not None:
            raise metric.failure


@master_only
def write_metrics(metrics: Mapping[str, Any], files: Sequence[str]) -> None:
    """Write metrics to files, in the first process; tensors become lists of numbers."""
    for file in files:
        with whole_file(Path(file)) as part:
            mmengine.dump(_plain(metrics), part)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.tolist() if isinstance(value, Tensor | np.ndarray | np.generic) else value
