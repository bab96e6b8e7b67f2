"""Solves the last layer of a saved model, for a price of its connections that is given or found."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS, MODELS, TASK_UTILS
from torch import Tensor

from mmproto.analysis.last_layer_path import LastLayerPath, walk_path
from mmproto.apis.checkpoint_editor import CheckpointEditor, solver_config
from mmproto.apis.one_class import check_one_class
from mmproto.datasets.checks import labels_of
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.engine.solvers import SparseLastLayer
from mmproto.engine.solvers.score_pass import ImageScores, score_images
from mmproto.errors import InputError
from mmproto.functional import held_out

EVERY = 5
FROM_PUSH_SET = (
    f'every {EVERY}th training image of a class; the network was trained on it, so the accuracy '
    'is higher than on new images'
)
FROM_VALIDATION = 'the validation set, which has no image of the training or the test set'


def last_layer_solver(cfg: Config, **settings: float | bool) -> SparseLastLayer:
    """Build the solver that the config names, a :class:`SparseLastLayer` if it names none.

    Args:
        cfg: The config of a ProtoPNet.
        settings: Settings of the solver that are others.

    Raises:
        InputError: If the config names another solver, or a setting is not possible.
    """
    init_default_scope('mmpretrain')
    config = solver_config(cfg)
    kind = TASK_UTILS.get(config['type'])
    if not (isinstance(kind, type) and issubclass(kind, SparseLastLayer)):
        raise InputError(
            f'the solver in optim_wrapper.stages is a {config["type"]}, and a SparseLastLayer is '
            'needed: set its type'
        )
    return TASK_UTILS.build({**config, **settings})


def watch_own_class_points(cfg: Config) -> None:
    """Let the validation say how much of a prediction comes from the class's own prototypes.

    Of a head that predicts any number of classes there is no such figure.
    """
    if not getattr(MODELS.get(cfg.model.head.type), 'predicts_one_class', True):
        return
    evaluator = cfg.get('val_evaluator')
    metrics = [evaluator] if isinstance(evaluator, dict) else list(evaluator or [])
    if metrics and all(metric['type'] != 'OwnClassPoints' for metric in metrics):
        cfg.val_evaluator = [*metrics, ConfigDict(type='OwnClassPoints')]


def fit_along_path(
    editor: CheckpointEditor, solver: SparseLastLayer
) -> tuple[LastLayerPath, dict[str, float]]:
    """Walk from sparse to dense, and fit the last layer for the price that is recommended.

    The path is fitted without the held-out images, the last layer in the end with them. Those are
    the validation set, unless images of it are in the training or test set; in that case a part
    of the push set is held out, since a test set that has chosen the model does not test it.

    Args:
        editor: The model and its data.
        solver: The solver; its ``l1_weight`` does not matter.

    Returns:
        The path, and the figures of the solver.
    """
    check_one_class(editor.model, 'a path of last layers')
    head = editor.model.head
    head.last_layer.check_whole('a path of last layers')
    with score_images(editor.model, editor.push_dataloader, solver.scores_dir) as scored:
        with _held_out(editor, solver, scored) as (fitted, other, origin):
            path = walk_path(solver, head, (scored, fitted), other, origin)
        penalty = replace(solver.penalty(head), l1_weight=path.recommended.l1_weight)
        return path, solver.solve(head, solver.loss(head, scored), penalty)


@contextmanager
def _held_out(
    editor: CheckpointEditor, solver: SparseLastLayer, scored: ImageScores
) -> Iterator[tuple[Tensor, tuple[ImageScores, Tensor], str]]:
    """Give the rows of the push set to fit to, images to choose by with their rows, and origin."""
    if _validation_is_apart(editor):
        loader = editor.runner.val_loop.dataloader
        with score_images(editor.model, loader, solver.scores_dir) as validation:
            every_row, rows = torch.arange(len(scored.images)), torch.arange(len(validation.images))
            yield every_row, (validation, rows), FROM_VALIDATION
        return
    dataset: Any = editor.push_dataloader.dataset
    labels = torch.from_numpy(labels_of(dataset))
    chosen = held_out(labels, EVERY)[scored.images]
    yield (~chosen).nonzero()[:, 0], (scored, chosen.nonzero()[:, 0]), FROM_PUSH_SET


def _validation_is_apart(editor: CheckpointEditor) -> bool:
    """Whether no image of the validation set is known to be a training or test image."""
    if editor.runner.val_loop is None:
        return False
    others: list[Any] = [editor.push_dataloader.dataset]
    test = editor.runner.cfg.get('test_dataloader')
    if test:
        others.append(DATASETS.build(test.dataset))
    files = _files(editor.runner.val_loop.dataloader.dataset)
    return bool(files) and not any(files & _files(other) for other in others)


def _files(dataset: ImageDataset) -> set[str]:
    """Files of the images; empty where the data set does not say."""
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    return {info['img_path'] for info in infos if 'img_path' in info}
