"""What has to hold of the data before a long training starts."""

from collections.abc import Iterator, Sequence
from os.path import isfile

import numpy as np
import torch
from mmengine.dataset import ConcatDataset, RepeatDataset
from torch.utils.data import DataLoader

from mmproto.datasets.image_dataset import ImageDataset
from mmproto.datasets.image_files import UNREADABLE, open_image
from mmproto.errors import InputError

PROBED_IMAGES = 8
PROBES = 3


def labels_of(dataset: ImageDataset) -> np.ndarray:
    """Return the label of every image (N,) without loading one."""
    if isinstance(dataset, RepeatDataset):
        return np.tile(labels_of(dataset.dataset), dataset.times)
    if isinstance(dataset, ConcatDataset):
        return np.concatenate([labels_of(part) for part in dataset.datasets])
    labels = [dataset.get_data_info(i)['gt_label'] for i in range(len(dataset))]
    if any(np.ndim(label) for label in labels):
        raise InputError(
            'the images of the data set have any number of labels each: this is for data of one '
            'class an image alone'
        )
    return np.array(labels, int)


def all_labels(dataset: ImageDataset) -> tuple[np.ndarray, np.ndarray]:
    """List all labels that images have: the image (M,) and the class (M,) of each."""
    infos = data_infos(dataset)
    sets = [np.atleast_1d(info['gt_label']) for info in infos.values()]
    images = np.repeat(np.array([*infos], int), [len(labels) for labels in sets])
    return images, np.concatenate([np.empty(0), *sets]).astype(int)


def data_infos(dataset: ImageDataset) -> dict[int, dict]:
    """Return what is known of every image by its number, once where the data set repeats them."""
    return {
        first + number: part.get_data_info(number) if hasattr(part, 'get_data_info') else {}
        for first, part in _parts(dataset)
        for number in range(len(part))
    }


def image_paths(dataset: ImageDataset) -> list[str]:
    """Return the file of every image that has one, once each where the data set repeats them."""
    paths: list[str] = []
    for _, part in _parts(dataset):
        infos = (part.get_data_info(number) for number in range(len(part)))
        paths += dict.fromkeys(info['img_path'] for info in infos if 'img_path' in info)
    return [path for path in paths if isfile(path)]


def image_groups(dataset: ImageDataset) -> set[str]:
    """Return the groups of the images that have one, such as patients."""
    return {
        info['group']
        for _, part in _parts(dataset)
        for info in (part.get_data_info(number) for number in range(len(part)))
        if info.get('group')
    }


def _parts(dataset: ImageDataset, first: int = 0) -> Iterator[tuple[int, ImageDataset]]:
    """Unwrap what is repeated or put together: each data set, with its first number."""
    if isinstance(dataset, RepeatDataset):
        yield from _parts(dataset.dataset, first)
    elif isinstance(dataset, ConcatDataset):
        for start, part in zip([0, *dataset.cumulative_sizes], dataset.datasets):
            yield from _parts(part, first + start)
    else:
        yield first, dataset


def class_name(dataset: ImageDataset, label: int) -> str | None:
    """Name of a class, None for no class (-1) or one that the data set does not name."""
    classes = getattr(dataset, 'metainfo', {}).get('classes') or ()
    return classes[label] if 0 <= label < len(classes) else None


def numbered_class(dataset: ImageDataset, label: int) -> str:
    """Return number of a class, with its name where the data set knows it."""
    name = class_name(dataset, label)
    return str(label) if name is None else f'{label} ({name})'


def check_labels(dataset: ImageDataset, num_classes: int, setting: str) -> np.ndarray:
    """Check that the head has a class for every label.

    Returns:
        All labels that images have (M,).

    Raises:
        InputError: A label is none of the head's classes.
    """
    images, labels = all_labels(dataset)
    wrong = (labels < 0) | (labels >= num_classes)
    if wrong.any():
        raise InputError(
            f'{setting}.dataset has the label {labels[wrong][0]} (image {images[wrong][0]}), but '
            f'model.head.num_classes={num_classes} allows 0 to {num_classes - 1}: set '
            'model.head.num_classes to the number of classes in the data'
        )
    return labels


def check_label_counts(dataset: ImageDataset, one_class: bool, setting: str) -> None:
    """Raise an InputError for images with any number of labels, where a head takes one of each.

    Args:
        dataset: The data set.
        one_class: Whether the head takes one class an image.
        setting: The loader whose data set it is.
    """
    if one_class and any(
        np.ndim(part.get_data_info(number)['gt_label'])
        for _, part in _parts(dataset)
        for number in range(len(part))
    ):
        raise InputError(
            f'{setting}.dataset has images with any number of labels, but model.head is for one '
            "class an image: set model.head.type='MultiLabelProtoPNetHead' and metrics for "
            'several labels, as configs/protopnet/resnet34_findings_folder.py does'
        )


def check_every_class(
    dataset: ImageDataset, labels: np.ndarray, prototype_class: list[int]
) -> None:
    """Raise an InputError naming the classes that have no image to push a prototype onto."""
    classes = {label for label in prototype_class if label >= 0}
    missing = sorted(classes - set(labels.tolist()))
    if missing:
        names = ', '.join(numbered_class(dataset, label) for label in missing[:5])
        raise InputError(
            f'push_dataloader.dataset has no image of {len(missing)} of {len(classes)} classes: '
            f'{names}{", ..." if len(missing) > 5 else ""}; a prototype can only be pushed onto '
            'an image of its class, so add some or lower model.head.num_classes'
        )


def check_in_order(dataloader: DataLoader) -> None:
    """Raise an InputError for a push loader that shuffles its images or leaves some out."""
    sampler = dataloader.sampler
    if getattr(sampler, 'shuffle', False) or list(sampler) != list(sampler):
        raise InputError(
            'push_dataloader shuffles its images: set '
            "push_dataloader.sampler=dict(type='DefaultSampler', shuffle=False)"
        )
    if dataloader.drop_last:
        raise InputError(
            'push_dataloader leaves the last images out: set push_dataloader.drop_last=False'
        )


def check_not_augmented(dataset: ImageDataset) -> None:
    """Raise an InputError for a push set that gives another image each time it is asked."""
    for index in np.linspace(0, len(dataset) - 1, PROBED_IMAGES).astype(int):
        images: Sequence[torch.Tensor] = [dataset[int(index)]['inputs'] for _ in range(PROBES)]
        if not all(torch.equal(images[0], image) for image in images[1:]):
            raise InputError(
                f'push_dataloader augments its images (image {index} differs from one time to '
                'the next), but prototypes are to be patches of the training images as they '
                'are: remove the random transforms from push_dataloader.dataset.pipeline'
            )


def check_image_file(path: str) -> None:
    """Raise an InputError for a file that is no image, or a damaged one."""
    try:
        with open_image(path) as image:
            image.load()
    except FileNotFoundError:
        raise InputError(f'there is no image {path}') from None
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(f'{path} is no image, or a damaged one ({error})') from None


def check_image_array(image: np.ndarray) -> None:
    """Raise an InputError for an array that is no image as OpenCV reads one."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(
            f'the image is an array of {image.dtype} {image.shape}: give uint8 '
            '(height, width, 3) in BGR order'
        )
