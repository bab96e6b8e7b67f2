"""Explains single pictures, in the form of MMPretrain's inferencers."""

import difflib
from collections.abc import Callable, Iterator
from functools import partial
from math import ceil
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.apis.base import BaseInferencer
from mmpretrain.structures import DataSample
from PIL import Image
from rich.progress import track
from torch import nn

from mmproto.apis.classifier import class_names, load_classifier
from mmproto.apis.image_reader import PictureReader
from mmproto.datasets.checks import check_array, check_picture
from mmproto.errors import InputError
from mmproto.explanation.attribution import check_attribution
from mmproto.explanation.explanation import explain
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.utils.files import make_writable
from mmproto.visualization.explanation_page import patches_warning, write_explanations
from mmproto.visualization.explanation_sheet import explanation_sheet
from mmproto.visualization.page_data import prototype_thumbnails
from mmproto.visualization.prototype_images import (
    Gallery,
    NoPictures,
    SavedPictures,
    TrainingPictures,
    find_saved,
    push_folders,
)

LONGEST_NAME = 100  # of a file, leaving room for what is put around it


class ProtoPNetInferencer(BaseInferencer):
    """Explains pictures: which prototypes they look like, where, and the points that follow.

    .. code:: python

        inferencer = ProtoPNetInferencer('configs/protopnet/vgg19_cub.py', 'epoch_91.pth')
        result = inferencer('bird.jpg', out_dir='why')[0]
        result['pred_class'], result['explained'].explanation.explained.matches[0].points

    A picture that the config's test or push set lists is cropped as it is there, and its true
    class is told; any other one is taken whole.

    Args:
        model: A config, its file, the name of one of our models, or a model that MMPretrain's
            ``get_model`` has built.
        pretrained: The model's checkpoint.
        device: Where to compute; where the model is if None.
        prototypes: The folder with the pictures of the prototypes that a push has written; if
            None it is looked for beside the checkpoint, and where there is none, the training
            images are run through the network.
        attribution: What finds the pixels that a match looks at, for its box and heat map:
            'upsampling' of the similarity map, as in the paper, 'integrated_gradients',
            'smooth_grad' or 'receptive_field'.
        **kwargs: As for MMPretrain's inferencers.

    Raises:
        InputError: If the model is no ProtoPNet, or the checkpoint or the folder not its own; or
            if the attribution is unknown or not for this model.
    """

    def __init__(
        self,
        model: nn.Module | Config | str,
        pretrained: str | bool = True,
        device: str | torch.device | None = None,
        prototypes: str | Path | None = None,
        attribution: str = 'upsampling',
        **kwargs,
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
        self.classes = class_names(self.model)
        self.gallery = self._find_gallery(prototypes, checkpoint)

    def __call__(
        self,
        inputs: str | np.ndarray | list,
        return_datasamples: bool = False,
        batch_size: int = 16,
        asked: str | int | None = None,
        out_dir: str | Path | None = None,
    ) -> list:
        """Explain pictures.

        Args:
            inputs: A file, a folder, an array (height, width, 3) in BGR order, or a list of them.
            return_datasamples: Whether to return MMPretrain's ``DataSample`` objects.
            batch_size: How many pictures go through the network at once.
            asked: Name or number of the class to explain; the predicted one if None.
            out_dir: Where a page (HTML), a picture (PNG) and the figures (JSON) of each go.

        Returns:
            For each picture a dict as ``ImageClassificationInferencer`` gives it, and with
            'explained', an :class:`ImageExplanation`.

        Raises:
            InputError: For a file that is no picture, a class that does not exist, or a folder
                that cannot be written, before a picture goes through the network.
        """
        label = None if asked is None else self.class_number(asked)
        inputs = self._inputs_to_list(inputs)
        for given in inputs:
            check_array(given) if isinstance(given, np.ndarray) else check_picture(given)
        if out_dir is not None:
            make_writable(Path(out_dir))
        # MMPretrain's own progress bar does not end where a batch takes longer than it likes.
        batches = track(
            self.preprocess(inputs, batch_size, label),
            description='explain',
            total=ceil(len(inputs) / batch_size),
            disable=len(inputs) <= batch_size,
        )
        explained = [one for batch in batches for one in self.forward(batch)]
        pages = self.visualize(inputs, explained, out_dir)
        return self.postprocess(explained, pages, return_datasamples)

    @property
    def warning(self) -> str | None:
        """What has to be said of every explanation first, if anything."""
        warnings = (patches_warning(self.model.head), self.reader.warning)
        return ' '.join(one for one in warnings if one) or None

    def class_number(self, name: str | int) -> int:
        """Number of a class by its name or number.

        Raises:
            InputError: If there is no such class, with the nearest names.
        """
        names = [one.replace('_', ' ') for one in self.classes]
        wanted = str(name).replace('_', ' ')
        if wanted in names:
            return names.index(wanted)
        if wanted.isdecimal() and int(wanted) < len(names):
            return int(wanted)
        near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
        raise InputError(
            f'there is no class {name!r}: give a name or a number from 0 to {len(names) - 1}'
            f'{"; nearest: " + ", ".join(near) if near else ""}'
        )

    def _inputs_to_list(self, inputs: str | np.ndarray | list) -> list:
        """The pictures one by one; a folder stands for the files in it."""
        given = inputs if isinstance(inputs, list | tuple) else [inputs]
        pictures = []
        for one in given:
            if isinstance(one, np.ndarray):
                pictures.append(one)
            elif Path(one).is_dir():
                pictures += _pictures_in(Path(one))
            else:
                pictures.append(str(one))
        return pictures

    def preprocess(
        self, inputs: list, batch_size: int = 1, asked: int | None = None
    ) -> Iterator[tuple]:
        """Load the pictures, and send them through the test pipeline."""
        names = _unique_names(inputs)
        given = (self.reader.read(one, name) for one, name in zip(inputs, names))
        for chunk in self._get_chunk_data(given, batch_size):
            yield chunk, [one.packed['inputs'] for one in chunk], asked

    @torch.no_grad()
    def forward(self, inputs: tuple) -> list[ImageExplanation]:
        """Explain a batch."""
        chunk, pixels, asked = inputs
        data = self.model.data_preprocessor({'inputs': pixels}, training=False)
        explanations = explain(self.model, data['inputs'], [asked] * len(chunk), self.attribution)
        return [
            ImageExplanation(
                one.name,
                one.path,
                one.picture,
                one.geometry,
                explanation,
                one.truth if one.truth is None or one.truth < len(self.classes) else None,
                self.classes,
            )
            for one, explanation in zip(chunk, explanations)
        ]

    def visualize(
        self,
        inputs: list,
        preds: list[ImageExplanation],
        out_dir: str | Path | None = None,
    ) -> list[Path] | None:
        """Write page, picture and figures of each, if a folder is given."""
        if out_dir is None:
            return None
        return write_explanations(preds, self.gallery, Path(out_dir), self.warning)

    def postprocess(
        self,
        preds: list[ImageExplanation],
        visualization: list[Path] | None,
        return_datasamples: bool = False,
    ) -> list:
        """As MMPretrain's ``ImageClassificationInferencer``, with the explanation."""
        if return_datasamples:
            return [_data_sample(one) for one in preds]
        results = []
        for one in preds:
            probabilities, label = one.explanation.probabilities, one.explanation.predicted
            results.append(
                dict(
                    pred_scores=probabilities.numpy(),
                    pred_label=label,
                    pred_score=float(probabilities[label]),
                    pred_class=self.classes[label],
                    explained=one,
                )
            )
        return results

    def draw(self, explained: ImageExplanation) -> Image.Image:
        """The explanation as one picture: this looks like that, and the points that follow."""
        thumbnails = partial(prototype_thumbnails, self.gallery)
        return explanation_sheet(explained, thumbnails, self.warning)

    def _init_pipeline(self, cfg: Config) -> Callable:
        self.reader = PictureReader(cfg)
        return self.reader.pipeline

    def _find_gallery(self, folder: str | Path | None, checkpoint: str | None) -> Gallery:
        head = self.model.head
        if folder is not None:
            return SavedPictures(head, Path(folder))
        saved = find_saved(head, push_folders(Path(checkpoint))) if checkpoint else None
        if saved is not None:
            return saved
        dataset = self.reader.dataset('push_dataloader')
        if not len(dataset):
            return NoPictures()
        return TrainingPictures(self.model, dataset, self.attribution)


def _unique_names(inputs: list) -> list[str]:
    """A file name for each picture, numbered where two are alike."""
    names = ['index']  # the name of the page that leads to all
    for i, given in enumerate(inputs):
        stem = Path(given).stem[:LONGEST_NAME] if isinstance(given, str) else f'picture_{i}'
        name, number = stem, 2
        while name in names:
            name, number = f'{stem}_{number}', number + 1
        names.append(name)
    return names[1:]


def _pictures_in(folder: Path) -> list[str]:
    """The files of a folder whose names say that they are pictures."""
    kinds = Image.registered_extensions()
    files = sorted(str(file) for file in folder.iterdir() if file.suffix.lower() in kinds)
    if not files:
        raise InputError(f'there is no picture in {folder}')
    return files


def _data_sample(one: ImageExplanation) -> DataSample:
    sample = DataSample().set_pred_score(one.explanation.probabilities)
    sample.set_pred_label(one.explanation.predicted)
    sample.set_field(one, 'explained')
    return sample
