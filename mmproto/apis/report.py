"""Looks at a whole ProtoPNet: its prototypes, its pushes, its predictions on the test set."""

from collections import Counter
from copy import copy
from itertools import compress, groupby
from pathlib import Path

import numpy as np
from mmpretrain.registry import DATASETS
from torch import nn
from torch.utils.data import Dataset

from mmproto.analysis.dataset_scores import DatasetScores, ScoredDataset, survey
from mmproto.analysis.latent_map import latent_map
from mmproto.analysis.model_report import ModelReport, PartAgreement, PrototypeStatistics
from mmproto.analysis.nearest_images import Boxes, find_boxes, nearest_images, nearest_sightings
from mmproto.analysis.part_agreement import inside, part_agreement, part_names, parts_of_images
from mmproto.analysis.prototype_statistics import (
    confusion,
    firing_shares,
    own_patches,
    strongest_classes,
    twins,
)
from mmproto.analysis.push_history import push_records
from mmproto.apis.image_reader import ImageReader
from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.datasets.checks import check_labels, labels_of
from mmproto.errors import InputError
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.visualization.explanation_page import patches_warning

NEAREST = 5
EXPLAINED = 12


def analyse(
    inferencer: ProtoPNetInferencer,
    config: str,
    checkpoint: str,
    batch_size: int = 32,
    attribution: str | None = None,
) -> ModelReport:
    """Look at a model with the test and the push set of its config.

    Args:
        inferencer: The model, with its config and the pictures of its prototypes.
        config: The config's file, for its name.
        checkpoint: The model's checkpoint, for its name and for the pushes in its folder.
        batch_size: How many images go through the network at once.
        attribution: What the explained images are explained by a second time, if anything.

    Returns:
        All that there is to say. Without the training images the nearest training patches and
        the parts of the prototypes are missing, and ``origin`` says so.

    Raises:
        InputError: If the test set is not there, or not of the model's classes, or if a picture
            cannot be read.
    """
    model, head = inferencer.model, inferencer.model.head
    test = _test_set(inferencer.reader, head.num_classes)
    splits = {
        name: ScoredDataset(dataset, survey(model, dataset, batch_size, f'{name} set'))
        for name, dataset in data_sets(inferencer).items()
        if len(dataset)
    }
    tested = splits['test'].survey
    prototypes, truth = _look_at_prototypes(model, splits, batch_size)
    right, mistakes = choose_explained(tested, EXPLAINED)
    explained = _explain(inferencer, test, [*right, *mistakes], batch_size)
    again = {}
    if attribution is not None:
        other = copy(inferencer)
        other.attribution = attribution
        again = _explain(other, test, [*right, *mistakes], batch_size)
    return ModelReport(
        config=Path(config).name,
        checkpoint=Path(checkpoint).name,
        classes=inferencer.classes,
        confusion=confusion(tested),
        prototypes=prototypes,
        right=[explained[image] for image in right if image in explained],
        mistakes=[explained[image] for image in mistakes if image in explained],
        again={one.name: one for one in again.values()},
        pushes=push_records(Path(checkpoint).parent),
        truth=truth,
        latent=latent_map(model, splits, batch_size),
        warning=patches_warning(head),
        origin=f'{inferencer.gallery.origin}{_missing(head, splits)}',
    )


def data_sets(inferencer: ProtoPNetInferencer) -> dict[str, Dataset]:
    """What a report is about, by the names of its splits; empty what is not on this machine."""
    loaders = dict(train='push_dataloader', test='test_dataloader')
    return {split: inferencer.reader.dataset(loader) for split, loader in loaders.items()}


def choose_explained(tested: DatasetScores, count: int) -> tuple[list[int], list[int]]:
    """Images to show: classified correctly, spread over the classes, and classified wrongly.

    Args:
        tested: The test images.
        count: How many of each kind at most.

    Returns:
        Of the correct ones the most confident of every class, then the second of every class and
        so on; of the wrong ones the most confident.
    """
    ranked = np.argsort(-tested.confidence, kind='stable')
    correct = (tested.predicted == tested.label)[ranked]
    by_class = sorted(ranked[correct], key=lambda image: tested.label[image])
    groups = groupby(by_class, key=lambda image: tested.label[image])
    places = {image: place for _, group in groups for place, image in enumerate(group)}
    right = sorted(ranked[correct], key=places.get)
    return [int(i) for i in right[:count]], [int(i) for i in ranked[~correct][:count]]


def _test_set(reader: ImageReader, num_classes: int) -> Dataset:
    if reader.config.get('test_dataloader') is None:
        raise InputError('the config has no test_dataloader: add one that gives the test images')
    dataset = reader.dataset('test_dataloader')
    if not len(dataset):
        reason = ''
        try:
            DATASETS.build(reader.config.test_dataloader.dataset)  # says why there are none
        except (OSError, RuntimeError) as error:
            reason = f' ({error})'
        raise InputError(
            f'test_dataloader finds no images{reason}: set data_root to the folder of the data set'
        )
    check_labels(labels_of(dataset), num_classes, 'test_dataloader')
    return dataset


def _missing(head: nn.Module, splits: dict[str, ScoredDataset]) -> str:
    """What the data of the config does not tell of the training images."""
    if 'train' not in splits:
        return (
            " The config's push_dataloader finds no training images: the training patches nearest "
            'to each prototype are not known.'
        )
    if head.prototypes_are_patches and not own_patches(head, splits['train'].survey):
        return (
            " The config's push_dataloader does not give the images that the prototypes were "
            'pushed onto: what parts they hold is not known.'
        )
    return ''


def _look_at_prototypes(
    model: nn.Module, splits: dict[str, ScoredDataset], batch_size: int
) -> tuple[list[PrototypeStatistics], PartAgreement | None]:
    """What there is to know of every prototype, and how well boxes and parts agree."""
    head, tested = model.head, splits['test'].survey
    labels = head.prototype_class.tolist()
    class_images = Counter(splits['train'].survey.label.tolist() if 'train' in splits else [])
    own = own_patches(head, splits['train'].survey) if 'train' in splits else []
    activated = [(i, j) for i, row in enumerate(tested.most_activated.tolist()) for j in row]
    boxes = {
        split: _boxes(model, splits[split], more, batch_size, split)
        for split, more in (('train', own), ('test', activated))
        if split in splits
    }
    nearest = {
        split: nearest_sightings(splits[split].survey, NEAREST, found, split)
        for split, found in boxes.items()
    }
    names = {split: part_names(one.dataset) for split, one in splits.items()}
    held, truth = {}, None
    if names.get('train'):
        parts = parts_of_images(splits['train'].dataset, (image for image, _ in own))
        held = {j: inside(parts[image], boxes['train'][image, j]) for image, j in own}
    if held and names['test'] == names['train']:
        parts = parts_of_images(splits['test'].dataset, range(len(tested.label)))
        own_parts = [held.get(j) for j in range(len(labels))]
        truth = part_agreement(tested.most_activated, boxes['test'], parts, own_parts)

    weight = head.last_layer.weight.detach().cpu().numpy()
    strongest = strongest_classes(weight, np.array(labels)).tolist()
    fires_own, fires_other = firing_shares(tested, np.array(labels)).tolist()
    twins_of = twins(head)
    prototypes = [
        PrototypeStatistics(
            number=j,
            label=label,
            weight=float(weight[label if label >= 0 else strongest[j], j]),
            class_images=class_images[label],
            fires_own=fires_own[j],
            fires_other=fires_other[j],
            nearest_train=nearest['train'][j] if 'train' in nearest else [],
            nearest_test=nearest['test'][j],
            twins=twins_of[j],
            parts=list(compress(names['train'], held[j])) if j in held else None,
            strongest_class=strongest[j],
        )
        for j, label in enumerate(labels)
    ]
    return prototypes, truth


def _boxes(
    model: nn.Module, one: ScoredDataset, more: list[tuple[int, int]], batch_size: int, split: str
) -> Boxes:
    """The boxes of every prototype's nearest patches, and of more pairs."""
    shown = nearest_images(one.survey.score, NEAREST)
    pairs = [(image, j) for j, images in enumerate(shown.tolist()) for image in images]
    return find_boxes(model, one.dataset, [*pairs, *more], batch_size, f'{split} boxes')


def _explain(
    inferencer: ProtoPNetInferencer, dataset: Dataset, images: list[int], batch_size: int
) -> dict[int, ImageExplanation]:
    """Explanations by image; of a data set without files there are none."""
    paths = {image: dataset.get_data_info(image).get('img_path') for image in images}
    paths = {image: path for image, path in paths.items() if path is not None}
    results = inferencer(list(paths.values()), batch_size=batch_size) if paths else []
    return {image: result['explanation'] for image, result in zip(paths, results)}
