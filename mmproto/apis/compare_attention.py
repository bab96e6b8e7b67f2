"""Compares the attention of a ProtoPNet and of its baseline (the paper's Figure 4)."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from mmpretrain.models import ImageClassifier
from PIL import Image

from mmproto.apis.classifier import Classes, check_same_classes
from mmproto.apis.image_reader import ImageReader
from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.apis.one_class import check_one_class
from mmproto.datasets.checks import check_image_file
from mmproto.explanation.class_activation import (
    check_linear_head,
    class_activations,
)
from mmproto.utils.extras import need
from mmproto.utils.files import check_picture_file
from mmproto.visualization.attention_figure import Comparison, attention_figure
from mmproto.visualization.explanation_page import patches_warning
from mmproto.visualization.page_data import prototype_thumbnails


def check_comparison(images: Sequence[str], out: Path) -> None:
    """Check what a comparison needs, before a network is loaded.

    Raises:
        InputError: If the CAM library is missing, a file is no image, or ``out`` cannot be
            written.
    """
    need('explain', 'pytorch_grad_cam')
    check_picture_file(out)
    for path in images:
        check_image_file(path)


def compare_attention(
    inferencer: ProtoPNetInferencer, baseline: ImageClassifier, images: Sequence[str]
) -> Image.Image:
    """Draw the attention of both networks, a row for each image.

    .. code:: python

        inferencer = ProtoPNetInferencer('configs/protopnet/vgg19_cub.py', 'epoch_91.pth')
        baseline = load_classifier('configs/baseline/vgg19_cub.py', 'baseline.pth')
        compare_attention(inferencer, baseline, ['bird.jpg']).save('attention.png')

    Args:
        inferencer: Explains the ProtoPNet.
        baseline: A classifier with a linear head, from :func:`load_classifier`. Each network gets
            the images by its own config's test pipeline.
        images: Files.

    Raises:
        InputError: If the baseline has no linear head, or other classes than the ProtoPNet.
    """
    check_baseline(inferencer.model, baseline)
    baseline.to(next(inferencer.model.parameters()).device)
    reader = ImageReader(baseline._config)
    comparisons = []
    for result in inferencer(list(images)):
        explanation = result['explanation']
        loaded = reader.read(explanation.path, explanation.name)
        pixels = {'inputs': [loaded.inputs]}
        inputs = baseline.data_preprocessor(pixels, training=False)['inputs']
        (activation,) = class_activations(baseline, inputs)
        comparisons.append(Comparison(explanation, loaded.image, loaded.geometry, activation))
    gallery = inferencer.gallery
    thumbnails = cache(lambda prototype: prototype_thumbnails(gallery, prototype))
    return attention_figure(comparisons, thumbnails, patches_warning(inferencer.model.head))


def check_baseline(protopnet: ImageClassifier, baseline: ImageClassifier) -> None:
    """Raise an InputError for a baseline without linear head, or of other classes."""
    check_one_class(protopnet, 'a comparison of attention')
    check_linear_head(baseline)
    check_same_classes(
        _classes('the ProtoPNet', protopnet),
        _classes('the baseline', baseline),
        'give a baseline of the same classes',
    )


def _classes(name: str, model: ImageClassifier) -> Classes:
    names = (model._dataset_meta or {}).get('classes') or ()
    return Classes(name, model.head.num_classes, names)
