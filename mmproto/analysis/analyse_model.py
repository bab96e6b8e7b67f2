"""A whole model: one pass over each data set, and what follows from that."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress

import numpy as np

from mmproto.analysis.dataset_scores import DatasetScores
from mmproto.analysis.editable_model import EditableModel, editable_model, fits_into_page
from mmproto.analysis.image_patch import ImagePatch
from mmproto.analysis.latent_map import LatentMap, draw_sample, latent_map
from mmproto.analysis.prototype_patches import own_patches, prototypes_by_image
from mmproto.analysis.prototype_statistics import PrototypeStatistics, prototype_statistics
from mmproto.analysis.score_dataset import score_dataset
from mmproto.datasets.annotated_parts import part_names, parts_of_images
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.evaluation.measures.part_hits import inside
from mmproto.models import ProtoPNet


@dataclass(frozen=True)
class ModelAnalysis:
    """What a model makes of its data.

    Attributes:
        train: The scores of the push set, None if it is not there.
        test: The scores of the test set.
        own_patches: The training patches of the prototypes, by the prototypes' indices; empty if
            the push set does not have them.
        prototypes: Every prototype.
        latent_map: The map of the latent space.
        editable: What a page needs to follow edits.
    """

    train: DatasetScores | None
    test: DatasetScores
    own_patches: dict[int, ImagePatch]
    prototypes: list[PrototypeStatistics]
    latent_map: LatentMap
    editable: EditableModel


def analyse_model(
    model: ProtoPNet, push_set: ImageDataset, test_set: ImageDataset, batch_size: int
) -> ModelAnalysis:
    """Look at a model with its push set and its test set.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`, in eval mode.
        push_set: The training images without augmentation; empty if they are not there.
        test_set: The test images.
        batch_size: How many images go through the network at once.

    Raises:
        InputError: If the file of an image cannot be read.
    """
    head = model.head
    datasets = {'train': push_set, 'test': test_set} if len(push_set) else {'test': test_set}
    sample = draw_sample({split: len(dataset) for split, dataset in datasets.items()})
    scores, own, own_parts = {}, {}, {}
    if len(push_set):
        scores['train'] = score_dataset(
            model,
            push_set,
            batch_size,
            'train',
            pairs=prototypes_by_image(head, len(push_set)),
            sample=sample['train'],
        )
        own = own_patches(head, scores['train'])
        own_parts = _parts_in_patches(push_set, own)
    names = part_names(push_set) if own_parts else None
    scores['test'] = score_dataset(
        model,
        test_set,
        batch_size,
        'test',
        sample=sample['test'],
        keep_scores=fits_into_page(len(test_set), len(head.prototype_class), head.num_classes),
    )
    return ModelAnalysis(
        train=scores.get('train'),
        test=scores['test'],
        own_patches=own,
        prototypes=prototype_statistics(
            head,
            scores.get('train'),
            scores['test'],
            {j: list(compress(names or (), found)) for j, found in own_parts.items()},
            own,
        ),
        latent_map=latent_map(head, scores),
        editable=editable_model(head, scores['test'], push_set),
    )


def _parts_in_patches(
    push_set: ImageDataset, patches: Mapping[int, ImagePatch]
) -> dict[int, np.ndarray]:
    """Which parts (num_parts,) the training patches hold; empty if the data knows no parts."""
    if part_names(push_set) is None:
        return {}
    parts = parts_of_images(push_set, (patch.image for patch in patches.values()))
    return {j: inside(parts[patch.image], patch.box) for j, patch in patches.items()}
