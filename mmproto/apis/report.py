"""Looks at a whole ProtoPNet: its prototypes, its pushes, its predictions on the test set."""

from copy import copy
from pathlib import Path

from mmpretrain.registry import DATASETS

from mmproto.analysis.analyse_model import ModelAnalysis, analyse_model
from mmproto.analysis.checks import checks_made
from mmproto.analysis.example_images import example_images
from mmproto.analysis.model_report import ModelReport
from mmproto.analysis.prototype_statistics import with_figures
from mmproto.analysis.push_history import push_records
from mmproto.apis.explanation_figures import explanation_figures
from mmproto.apis.image_reader import ImageReader
from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.apis.one_class import check_one_class
from mmproto.datasets.checks import check_labels
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.errors import InputError
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.visualization.explanation_page import patches_warning

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
        inferencer: The model, with its config and the images of its prototypes.
        config: The config's file, for its name.
        checkpoint: The model's checkpoint, for its name and for the pushes in its folder.
        batch_size: How many images go through the network at once.
        attribution: What the explained images are explained by a second time, if anything.

    Returns:
        All that there is to say. Without the training images the nearest training patches and
        the parts of the prototypes are missing, and ``origin`` says so.

    Raises:
        InputError: If the test set is not there, or not of the model's classes, or if an image
            cannot be read.
    """
    model, datasets = inferencer.model, data_sets(inferencer)
    check_one_class(model, 'a report')
    model.head.last_layer.check_whole('a report')
    _check_test_set(inferencer.reader, datasets['test'], model.head.num_classes)
    analysis = analyse_model(model, datasets['train'], datasets['test'], batch_size)
    correct, mistakes = example_images(analysis.test, EXPLAINED)
    explained = _explain(inferencer, datasets['test'], [*correct, *mistakes], batch_size)
    by_attribution = {}
    if attribution is not None:
        other = copy(inferencer)
        other.attribution = attribution
        by_attribution = _explain(other, datasets['test'], [*correct, *mistakes], batch_size)
    figures, figure_images = explanation_figures(model, datasets['test'], batch_size)
    prototypes = with_figures(analysis.prototypes, figures)
    return ModelReport(
        config=Path(config).name,
        checkpoint=Path(checkpoint).name,
        classes=inferencer.classes,
        confusion_matrix=analysis.test.confusion_matrix,
        prototypes=prototypes,
        correct=[explained[image] for image in correct if image in explained],
        mistakes=[explained[image] for image in mistakes if image in explained],
        test_images={one.name: image for image, one in explained.items()},
        by_attribution={one.name: one for one in by_attribution.values()},
        pushes=push_records(Path(checkpoint).parent),
        figures=figures,
        figure_images=figure_images,
        latent_map=analysis.latent_map,
        editable=analysis.editable,
        checks=checks_made(prototypes, bool((model.head.prototype_image >= 0).any())),
        highest_score=model.head.highest_score,
        warning=patches_warning(model.head),
        origin=f'{inferencer.gallery.origin}{_missing(inferencer, analysis)}',
    )


def data_sets(inferencer: ProtoPNetInferencer) -> dict[str, ImageDataset]:
    """Return the data sets of a report by split, empty where they are not on this machine."""
    loaders = dict(train='push_dataloader', test='test_dataloader')
    return {split: inferencer.reader.dataset(loader) for split, loader in loaders.items()}


def _check_test_set(reader: ImageReader, test_set: ImageDataset, num_classes: int) -> None:
    if reader.config.get('test_dataloader') is None:
        raise InputError('the config has no test_dataloader: add one that gives the test images')
    if not len(test_set):
        reason = ''
        try:
            DATASETS.build(reader.config.test_dataloader.dataset)  # says why there are none
        except (OSError, RuntimeError) as error:
            reason = f' ({error})'
        raise InputError(
            f'test_dataloader finds no images{reason}: set data_root to the folder of the data set'
        )
    check_labels(test_set, num_classes, 'test_dataloader')


def _missing(inferencer: ProtoPNetInferencer, analysis: ModelAnalysis) -> str:
    """Return what the data of the config does not tell of the training images."""
    if analysis.train is None:
        return (
            " The config's push_dataloader finds no training images: the training patches nearest "
            'to each prototype are not known.'
        )
    if inferencer.model.head.prototypes_are_patches and not analysis.own_patches:
        return (
            " The config's push_dataloader does not give the images that the prototypes were "
            'pushed onto: what parts they hold is not known.'
        )
    return ''


def _explain(
    inferencer: ProtoPNetInferencer, dataset: ImageDataset, images: list[int], batch_size: int
) -> dict[int, ImageExplanation]:
    """Explanations by image; there are none where the data set gives neither file nor pixels."""
    infos = {image: dataset.get_data_info(image) for image in images}
    inputs = {
        image: info.get('img_path', image)
        for image, info in infos.items()
        if {'img', 'img_path'} & set(info)
    }
    results = inferencer(list(inputs.values()), batch_size=batch_size) if inputs else []
    return {image: result['explanation'] for image, result in zip(inputs, results)}
