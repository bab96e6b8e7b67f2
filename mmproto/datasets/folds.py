"""Lets the push set follow the fold of a cross-validation."""

from collections.abc import Mapping
from typing import Any

from mmproto.datasets.checks import image_paths
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.errors import InputError

FOLD = 'KFoldDataset'


def in_fold(push: Any, train: Any) -> Any:
    """Return the config of the push set, of the same fold as the training set if that has one.

    MMPretrain's ``tools/kfold-cross-valid.py`` folds the training and the validation set alone:
    half of the prototypes would lie on validation images.

    Args:
        push: ``push_dataloader.dataset``.
        train: ``train_dataloader.dataset``; a fold in wrappers such as ``RepeatDataset`` counts.

    Returns:
        ``push`` as it is, where there is no fold or it has one itself, or where one of the two is
        a data set and no config; else with the data set in its wrappers folded.
    """
    fold = _fold_of(train)
    if fold is None or not isinstance(push, Mapping) or _fold_of(push) is not None:
        return push
    if 'dataset' in push:
        return {**push, 'dataset': in_fold(push['dataset'], train)}
    return {**fold, 'dataset': push}


def check_in_fold(push: ImageDataset, train: ImageDataset, config: Any) -> None:
    """Raise an InputError for a push set with images that its training set's fold has not.

    Args:
        push: The push set.
        train: The training set.
        config: That of the training set.
    """
    if _fold_of(config) is None:
        return
    others = sorted({*image_paths(push)} - {*image_paths(train)})
    if others:
        raise InputError(
            f'push_dataloader.dataset has {len(others)} images that are not in the fold that is '
            f'trained on, such as {others[0]}: give it the same data set as train_dataloader, '
            'with nothing but another pipeline, and without balance'
        )


def _fold_of(config: Any) -> dict | None:
    """Return the settings of the fold in the config of a data set."""
    while isinstance(config, Mapping):
        if config.get('type') == FOLD:
            return {name: value for name, value in config.items() if name != 'dataset'}
        config = config.get('dataset')
    return None
