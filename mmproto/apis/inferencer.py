"""Explains single images, in the form of MMPretrain's inferencers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.apis.base import BaseInferencer
from mmpretrain.structures import DataSample
from PIL import Image
from rich.progress import track
from torch import nn

from mmproto.apis.class_number import class_number
from mmproto.apis.classifier import class_names, load_classifier
from mmproto.apis.image_inputs import ImageInput, listed_images, unique_names
from mmproto.apis.image_reader import ImageReader, LoadedImage
from mmproto.apis.prototype_gallery import find_gallery
from mmproto.errors import InputError
from mmproto.explanation.attribution import check_attribution
from mmproto.explanation.effective_field import effective_fields
from mmproto.explanation.explain import explain
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.models.backbones.backbone_info import one_patch_warning
from mmproto.utils.files import make_writable
from mmproto.visualization.explanation_page import explanation_writer, patches_warning
from mmproto.visualization.explanation_sheet import explanation_sheet
from mmproto.visualization.page_data import prototype_thumbnails

FIELDS = 3  # effective receptive fields of an image


class ProtoPNetInferencer(BaseInferencer):
    """Explains images: which prototypes they look like, where, and the points that follow.

    .. code:: python

        inferencer = ProtoPNetInferencer('configs/protopnet/vgg19_cub.py', 'epoch_91.pth')
        result = inferencer('bird.jpg', out_dir='why')[0]
        result['pred_class'], result['explanation'].prediction.target.matches[0].points

    An image that the config's test or push set lists is cropped as it is there, and its true
    class is known; any other one is taken whole.

    Args:
        model: A config, its file, the name of one of our models, or a model that MMPretrain's
            ``get_model`` has built.
        pretrained: The model's checkpoint.
        device: Where to compute; where the model is if None.
        prototypes: The folder with the images of the prototypes that a push has written; if
            None it is looked for beside the checkpoint, and where there is none, the training
            images are run through the network.
        attribution: What finds the pixels that matter to a match, for its box and heat map:
            'upsampling' of the similarity map, as in the paper, 'integrated_gradients',
            'smooth_grad' or 'receptive_field'.
        fields: Of how many prototypes in an image to measure the effective receptive field: those
            with most points for the explained class, then those of the runner-up and the most
            similar ones. Each takes a backward pass.
        **kwargs: As for MMPretrain's inferencers.

    Raises:
        InputError: If the model is no ProtoPNet, or the checkpoint or the folder not its own; or
            if the attribution is unknown or not for this model.
    """

    _input_shape: tuple[int, int, int] | None = None  # of the last batch

    def __init__(
        self,
        model: nn.Module | Config | str,
        pretrained: str | bool = True,
        device: str | torch.device | None = None,
        prototypes: str | Path | None = None,
        attribution: str = 'upsampling',
        fields: int = FIELDS,
        **kwargs: Any,
    ) -> None:
        init_default_scope('mmpretrain')
        checkpoint = str(pretrained) if isinstance(pretrained, str | Path) else None
        if not isinstance(model, nn.Module):
            if checkpoint is None:
                raise InputError(
                    'a config alone explains nothing: give its checkpoint as pretrained'
                )
            config = str(model) if isinstance(model, Path) else model
            model, pretrained = load_classifier(config, checkpoint), False
        super().__init__(model, pretrained, device, **kwargs)
        if not hasattr(self.model.head, 'prototype_vectors'):
            raise InputError(
                f'model.head is a {type(self.model.head).__name__}: only a ProtoPNetHead explains '
                'itself by prototypes'
            )
        if self.model.head.num_classes < 2:
            raise InputError('model.head.num_classes=1: of one class there is nothing to explain')
        check_attribution(attribution, self.model)
        self.attribution = attribution
        self.fields = fields
        self.classes = class_names(self.model)
        self.gallery = find_gallery(self.model, self.reader, prototypes, checkpoint, attribution)

    def __call__(
        self,
        inputs: str | int | Path | np.ndarray | list,
        return_datasamples: bool = False,
        batch_size: int = 16,
        target: str | int | None = None,
        out_dir: str | Path | None = None,
    ) -> list:
        """Explain images.

        Args:
            inputs: A file, a folder, the number of an image of the config's test set, an array
                (height, width, 3) in BGR order, or a list of them.
            return_datasamples: Whether to return MMPretrain's ``DataSample`` objects.
            batch_size: How many images go through the network at once.
            target: Name or number of the class to explain; the predicted one if None.
            out_dir: Where a page (HTML), an image (PNG) and the figures (JSON) of each go.

        Returns:
            For each image a dict as ``ImageClassificationInferencer`` gives it, and with
            'explanation', an :class:`ImageExplanation`. All of them are held; :meth:`stream` gives
            one at a time.

        Raises:
            InputError: For a file that is no image, a class that does not exist, or a folder
                that cannot be written, before an image goes through the network.
        """
        return list(self.stream(inputs, return_datasamples, batch_size, target, out_dir))

    def stream(
        self,
        inputs: str | int | Path | np.ndarray | list,
        return_datasamples: bool = False,
        batch_size: int = 16,
        target: str | int | None = None,
        out_dir: str | Path | None = None,
    ) -> Iterator:
        """Explain images as they are asked for, and hold no more than a batch of them.

        .. code:: python

            for result in inferencer.stream('thousands_of_images', out_dir='why'):
                print(result['explanation'].name, result['pred_class'])

        Args:
            inputs: As of :meth:`__call__`.
            return_datasamples: As of :meth:`__call__`.
            batch_size: As of :meth:`__call__`.
            target: As of :meth:`__call__`.
            out_dir: As of :meth:`__call__`; a batch is written before its results are given, the
                index of all after the last one.

        Returns:
            The results of :meth:`__call__`, one after another.

        Raises:
            InputError: As :meth:`__call__`, at once.
        """
        label = None if target is None else class_number(self.classes, target)
        images = self.listed(inputs)
        folder = None if out_dir is None else Path(out_dir)
        if folder is not None:
            make_writable(folder)
        return self._stream(images, batch_size, label, folder, return_datasamples)

    def _stream(
        self,
        images: list[ImageInput],
        batch_size: int,
        label: int | None,
        folder: Path | None,
        return_datasamples: bool,
    ) -> Iterator:
        # MMPretrain's own progress bar does not end where a batch takes longer than it likes.
        batches = track(
            self.preprocess(images, batch_size),
            description='explain',
            total=ceil(len(images) / batch_size),
            disable=len(images) <= batch_size,
        )
        with ExitStack() as stack:
            write = folder and stack.enter_context(explanation_writer(self.gallery, folder))
            for batch in batches:
                explanations = self.forward(batch, label)
                pages = write(explanations, self.warning) if write else None
                yield from self.postprocess(explanations, pages, return_datasamples)

    @property
    def warning(self) -> str | None:
        """What has to be said of every explanation first, if anything."""
        warnings = (patches_warning(self.model.head), self.reader.warning, self._one_patch())
        return ' '.join(one for one in warnings if one) or None

    def listed(self, inputs: str | int | Path | np.ndarray | list) -> list[ImageInput]:
        """List what is given image by image.

        Raises:
            InputError: If something of it is no image, or not there.
        """
        images = listed_images(inputs)
        for image in images:
            if isinstance(image, int):
                self.reader.test_image(image)
        return images

    def preprocess(
        self, inputs: list[ImageInput], batch_size: int = 1
    ) -> Iterator[list[LoadedImage]]:
        """Load images, and send them through the test pipeline."""
        loaded = (self.reader.read(*one) for one in zip(inputs, unique_names(inputs)))
        yield from self._get_chunk_data(loaded, batch_size)

    def normalised(self, batch: list[LoadedImage]) -> torch.Tensor:
        """Return the images of a batch (N, C, H, W) as the network gets them."""
        pixels = {'inputs': [one.inputs for one in batch]}
        inputs = self.model.data_preprocessor(pixels, training=False)['inputs']
        self._input_shape = tuple(inputs.shape[1:])
        return inputs

    @torch.no_grad()
    def forward(
        self, inputs: list[LoadedImage], target: int | None = None
    ) -> list[ImageExplanation]:
        """Explain a batch."""
        targets = [target] * len(inputs)
        normalised = self.normalised(inputs)
        predictions = explain(self.model, normalised, targets, self.attribution)
        return [
            ImageExplanation(
                name=one.name,
                path=one.path,
                image=one.image,
                geometry=one.geometry,
                prediction=prediction,
                fields=effective_fields(self.model, image, prediction.matches, self.fields),
                true_class=self._known_class(one.true_class),
                classes=self.classes,
            )
            for one, image, prediction in zip(inputs, normalised, predictions)
        ]

    def visualize(
        self,
        inputs: list[ImageInput],
        preds: list[ImageExplanation],
        out_dir: str | Path | None = None,
    ) -> list[Path] | None:
        """Write page, image and figures of each, if a folder is given."""
        if out_dir is None:
            return None
        with explanation_writer(self.gallery, Path(out_dir)) as write:
            return write(preds, self.warning)

    def postprocess(
        self,
        preds: list[ImageExplanation],
        visualization: list[Path] | None,
        return_datasamples: bool = False,
    ) -> list:
        """As MMPretrain's ``ImageClassificationInferencer``, with the explanation."""
        return [_data_sample(one) if return_datasamples else _result(one) for one in preds]

    def draw(self, explanation: ImageExplanation) -> Image.Image:
        """Return the explanation as one image: this looks like that, and the points that follow."""
        thumbnails = partial(prototype_thumbnails, self.gallery)
        return explanation_sheet(explanation, thumbnails, self.warning)

    def _init_pipeline(self, cfg: Config) -> Callable:
        self.reader = ImageReader(cfg)
        return self.reader.pipeline

    def _one_patch(self) -> str | None:
        """Return what to say if the last images had a single patch each."""
        if self._input_shape is None:
            return None
        patch = self.model.head.prototype_vectors.shape[2:]
        warning = one_patch_warning(self.model.backbone, self._input_shape, patch)
        return warning and f'{warning[0].upper()}{warning[1:]}.'

    def _known_class(self, label: int | None) -> int | None:
        """Return the label, if the model knows the class."""
        return label if label is not None and label < len(self.classes) else None


def _result(one: ImageExplanation) -> dict:
    probabilities, label = one.prediction.probabilities, one.prediction.label
    return dict(
        pred_scores=probabilities.numpy(),
        pred_label=label,
        pred_score=float(probabilities[label]),
        pred_class=one.classes[label],
        explanation=one,
    )


def _data_sample(one: ImageExplanation) -> DataSample:
    sample = DataSample().set_pred_score(one.prediction.probabilities)
    sample.set_pred_label(one.prediction.predicted)
    sample.set_field(one, 'explanation')
    return sample
