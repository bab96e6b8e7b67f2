"""Reads single images as a network's test set does."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os.path import realpath
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import Compose
from mmengine.config import Config
from mmpretrain.registry import DATASETS, TRANSFORMS
from torch import Tensor

from mmproto.datasets.folds import in_fold
from mmproto.datasets.geometry import BOX_CROPS, Geometry, follow, loads_images
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.datasets.transforms import LoadPicture
from mmproto.errors import InputError
from mmproto.visualization.drawing import display_copy, in_bgr


@dataclass(frozen=True)
class LoadedImage:
    """An image, and what goes into the network of it.

    Attributes:
        name: What to call it.
        path: Its file, None where it has none.
        image: The original image or a smaller copy, (height, width, 3), uint8, BGR.
        geometry: Where in the original the network's input comes from.
        true_class: Its class, if a data set of the config knows it to be one.
        inputs: What the pipeline gives, (C, H, W), not yet normalised.
    """

    name: str
    path: str | None
    image: np.ndarray
    geometry: Geometry
    true_class: int | None
    inputs: Tensor


class ImageReader:
    """Sends single images through a config's test pipeline.

    An image that the config's test or push set lists is cropped as it is there, and its true
    class is known; any other one is taken whole. A pipeline without a loading step is that of
    images held in memory, as MMPretrain's CIFAR10 and MNIST hold theirs: in RGB order or grey.

    Args:
        config: The config of a classifier.

    Raises:
        InputError: If it has no test set whose pipeline could be taken.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._datasets: dict[str, Any] = {}
        self.pipeline = Compose([TRANSFORMS.build(step) for step in _test_pipeline(config)])

    def read(self, image: str | int | np.ndarray, name: str) -> LoadedImage:
        """Read one image.

        Args:
            image: A file, the number of an image of the test set, or an array
                (height, width, 3) in BGR order.
            name: What to call it.

        Raises:
            InputError: If the pipeline cannot read it.
        """
        info: dict[str, Any]
        if isinstance(image, np.ndarray):
            path, info = None, self._given(image)
        elif isinstance(image, int):
            info = self.test_image(image)
            path = info.get('img_path')
        else:
            path, info = image, self._annotations.get(realpath(image)) or self._load(image)
        in_memory = isinstance(image, int) and 'img' in info
        packed, original, geometry = follow(self.pipeline, dict(info))
        return LoadedImage(
            name=name,
            path=path,
            image=display_copy(in_bgr(original) if in_memory or not self._loads else original),
            geometry=geometry,
            true_class=_one_class(info.get('gt_label')),
            inputs=packed['inputs'],
        )

    def test_image(self, number: int) -> dict[str, Any]:
        """Return what the test set says of an image.

        Raises:
            InputError: If it has no such image, or does not say where the image is.
        """
        dataset = self.dataset('test_dataloader')
        if not 0 <= number < len(dataset):
            raise InputError(
                f'there is no test image {number}: test_dataloader finds {len(dataset)} images, '
                'numbered from 0; set data_root if it should find others'
            )
        info = dataset.get_data_info(number)
        if not {'img', 'img_path'} & set(info):
            raise InputError(
                f'{type(dataset).__name__}, the test set, gives neither img nor img_path of an '
                'image: give image files'
            )
        return info

    def dataset(self, loader: str) -> ImageDataset:
        """Return the data set of a loader of the config, empty if it is not on this machine."""
        if loader not in self._datasets:
            dataset = (self.config.get(loader) or {}).get('dataset')
            if loader == 'push_dataloader':
                train = (self.config.get('train_dataloader') or {}).get('dataset')
                dataset = in_fold(dataset, train)
            try:
                self._datasets[loader] = DATASETS.build(dataset) if dataset else []
            except (InputError, OSError, RuntimeError):
                self._datasets[loader] = []
        return self._datasets[loader]

    @property
    def warning(self) -> str | None:
        """What has to be said of images that should be cropped and cannot."""
        crops = any(type(step).__name__ in BOX_CROPS for step in self.pipeline.transforms)
        if not crops or self._annotations:
            return None
        return (
            'The data sets of the config are not there, so that images are taken whole and not '
            'cropped to their boxes as in training: set data_root.'
        )

    def _load(self, path: str) -> dict:
        """Load an image that no data set knows: without 'img_path' nobody asks for its box."""
        if not self._loads:
            return self._given(LoadPicture()(dict(img_path=path))['img'])
        try:
            info = self.pipeline.transforms[0](dict(img_path=path))
        except (AssertionError, cv2.error):
            raise InputError(f'{path} is a kind of image that OpenCV cannot read') from None
        del info['img_path']
        return info

    def _given(self, image: np.ndarray) -> dict:
        """Return an image (height, width, 3) in BGR order as the pipeline takes it."""
        if not self._loads:
            code = cv2.COLOR_BGR2GRAY if _is_grey(self.config) else cv2.COLOR_BGR2RGB
            image = cv2.cvtColor(image, code)
        elif isinstance(self.pipeline.transforms[0], LoadPicture):
            image = self.pipeline.transforms[0](dict(img=image))['img']  # grey, if that is wanted
        return dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])

    @property
    def _loads(self) -> bool:
        return loads_images(self.pipeline)

    @cached_property
    def _annotations(self) -> dict[str, dict]:
        """What the test and the push set say of their images, by the image's real path."""
        datasets = [self.dataset('push_dataloader'), self.dataset('test_dataloader')]
        return {
            realpath(info['img_path']): info
            for dataset in datasets
            for info in (dataset.get_data_info(i) for i in range(len(dataset)))
            if 'img_path' in info
        }


def _one_class(label: int | Sequence[int] | None) -> int | None:
    return None if label is None or isinstance(label, Sequence) else int(label)


def _is_grey(config: Config) -> bool:
    """Whether the network takes one channel: its mean has one, or its backbone says so."""
    means = (config.get('data_preprocessor') or {}).get('mean') or ()
    backbone = (config.get('model') or {}).get('backbone') or {}
    return len(means) == 1 or backbone.get('in_channels') == 1


def _test_pipeline(config: Config) -> list[dict]:
    """Return the pipeline of the test set, also of one that is wrapped or put together."""
    dataset = (config.get('test_dataloader') or {}).get('dataset')
    while dataset is not None and 'pipeline' not in dataset:
        dataset = dataset.get('dataset') or next(iter(dataset.get('datasets') or []), None)
    if dataset is None:
        raise InputError(
            'the config has no test_dataloader with a pipeline: set it to the data to test on'
        )
    return dataset.pipeline
