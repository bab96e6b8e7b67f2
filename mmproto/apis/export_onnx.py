"""A ProtoPNet as one ONNX file, for programs that have no PyTorch."""

import json
from logging import WARNING
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log

from mmproto.apis.classifier import class_names
from mmproto.apis.locating_classifier import LocatingClassifier
from mmproto.apis.onnx_agreement import OUTPUTS, TOLERANCE, Agreement, Size, compare
from mmproto.errors import InputError
from mmproto.models import ProtoPNet
from mmproto.models.backbones.backbone_info import (
    check_image_size,
    image_channels,
    takes_images,
)
from mmproto.models.backbones.network_input import pipeline_size
from mmproto.models.heads import ProtoPNetHead
from mmproto.utils.extras import need
from mmproto.utils.files import check_out_file, whole_file

OPSET = 18


def check_export(out: Path, opset: int = OPSET) -> None:
    """Check what an export needs.

    Raises:
        InputError: If a package, or the folder that the file goes to, is missing, or ``opset`` is
            none that PyTorch and ONNX know.
    """
    need('export', 'onnx', 'onnxruntime', 'onnxscript')
    check_out_file(out)
    from onnx.defs import onnx_opset_version

    if not OPSET <= opset <= onnx_opset_version():
        raise InputError(f'opset={opset}: choose one from {OPSET} to {onnx_opset_version()}')


def input_size(cfg: Config) -> Size:
    """Height and width that the test pipeline of a config brings images to.

    Raises:
        InputError: If its last Resize or CenterCrop does not say so.
    """
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    size = pipeline_size(dataset.get('pipeline') or [])
    if size is not None:
        return size
    raise InputError(
        'test_dataloader.dataset.pipeline has no Resize(scale) or CenterCrop(crop_size) that says '
        'how large the images are: give their size, height and width in pixels'
    )


def export_onnx(model: ProtoPNet, size: Size, out: Path, opset: int = OPSET) -> Agreement:
    """Write a classifier as ONNX, and compare what was written with PyTorch.

    By ``torch.onnx.export`` with ``dynamo=True``, whose graph holds for any number of images, and
    for any height and width if the network takes several; where that does not succeed a warning
    says so, and the graph is for images of ``size`` alone. See :class:`LocatingClassifier` for
    what goes in and comes out; :func:`metadata` is in the file.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`; it is in eval mode afterwards.
        size: Height and width of the images, in pixels; of some of them where any will do.
        out: The file; it is replaced only by one that has been compared.
        opset: Version of ONNX's operators.

    Returns:
        How far they agree, and on images of what sizes.

    Raises:
        InputError: If the model has no prototypes, does not take images of this size or cannot be
            exported, or if they do not agree.
    """
    if not isinstance(model.head, ProtoPNetHead):
        raise InputError(
            f'the model has the head {type(model.head).__name__}: only one with a ProtoPNetHead '
            'has prototypes to export'
        )
    channels = image_channels(model.backbone)
    check_image_size(model.backbone, (channels, *size))
    model.eval()
    others = [one for one in _other_sizes(size) if takes_images(model.backbone, (channels, *one))]
    with whole_file(out) as file:
        if others:
            try:
                return _export(model, [size, *others], file, opset)
            except InputError as error:
                print_log(
                    f'A graph for images of any size: {error}. Exporting one for {size[0]} x '
                    f'{size[1]} alone.',
                    logger='current',
                    level=WARNING,
                )
        return _export(model, [size], file, opset)


def _other_sizes(size: Size) -> list[Size]:
    """Return multiples of a size, for networks that cut images into equal parts, and an odd one."""
    height, width = size
    return [(2 * height, width), (height, 2 * width), (height + 37, width + 11)]


def _export(model: ProtoPNet, sizes: list[Size], file: Path, opset: int) -> Agreement:
    """Write a file for images of the first size, or of any if there are more; compare at each."""
    import onnxruntime

    channels = image_channels(model.backbone)
    axes: dict[int, Any] = {0: torch.export.Dim('batch')}
    if len(sizes) > 1:  # torch finds out itself from which size on the graph holds
        axes |= dict.fromkeys((2, 3), torch.export.Dim.AUTO)
    try:
        program: Any = torch.onnx.export(
            LocatingClassifier(model).eval(),
            (torch.zeros(2, channels, *sizes[0]),),
            dynamo=True,
            input_names=['images'],
            output_names=OUTPUTS,
            dynamic_shapes=dict(images=axes),
            opset_version=opset,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from None
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise InputError(
            f'torch.onnx cannot export this model with opset={opset}: {reason}'
        ) from error
    program.model.metadata_props.update(metadata(model, sizes))
    program.save(file, external_data=False)
    session = onnxruntime.InferenceSession(file, providers=['CPUExecutionProvider'])
    agreement = compare(session, model, sizes)
    if not agreement.difference <= TOLERANCE:
        raise InputError(
            f'the exported model differs from the checkpoint by {agreement.difference:.1e}, '
            f'more than {TOLERANCE:.0e}: nothing was written; try another opset'
        )
    return agreement


def metadata(model: ProtoPNet, sizes: list[Size]) -> dict[str, str]:
    """Return the file's ``metadata_props``: what goes in, and what the outputs stand for.

    ``prototypes`` is a JSON list of every prototype's class (-1 for none), its name if a person has
    given it one, and, if it is a training patch, the number of its image in the push set, its row
    and column in the feature map, and how far it was from the patch before it was pushed.

    Args:
        model: The classifier.
        sizes: As of :class:`Agreement`.
    """
    head = model.head
    prototypes: list[dict[str, Any]] = [
        dict(class_index=label) | (dict(name=name) if name else {})
        for label, name in zip(head.prototype_class.tolist(), head.prototype_names)
    ]
    if head.prototypes_are_patches:
        for index, prototype in enumerate(prototypes):
            prototype.update(
                image_index=int(head.prototype_image[index]),
                location=head.prototype_location[index].tolist(),
                distance=float(head.prototype_distance[index]),
            )
    channels = image_channels(model.backbone)
    order = 'in the order of the data set' if channels == 3 else 'as in the data set'
    if channels == 3 and model.data_preprocessor.to_rgb:
        order = 'in the order red, green, blue'
    size = f'{sizes[0][0]}, {sizes[0][1]}' if len(sizes) == 1 else 'height, width'
    return dict(
        images=f'float32 (N, {channels}, {size}), values from 0 to 255, channels '
        f'{order}; the normalisation is part of the model',
        logits='(N, classes)',
        scores='(N, prototypes): similarity of the nearest patch to each prototype',
        location='(N, prototypes, 2): row and column of that patch in the feature map',
        boxes='(N, prototypes, 4): its top, bottom, left and right in pixels, ends exclusive',
        classes=json.dumps(class_names(model)),
        prototypes=json.dumps(prototypes),
    )
