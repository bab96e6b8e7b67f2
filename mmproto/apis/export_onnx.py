"""A ProtoPNet as one ONNX file, for programs that have no PyTorch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmproto.apis.classifier import class_names
from mmproto.apis.locating_classifier import LocatingClassifier
from mmproto.errors import InputError
from mmproto.models import ProtoPNet
from mmproto.models.backbones.backbone_info import check_image_size, image_channels
from mmproto.models.backbones.network_input import pipeline_size
from mmproto.models.heads import ProtoPNetHead
from mmproto.utils.extras import need
from mmproto.utils.files import check_out_file, whole_file

OUTPUTS = ('logits', 'scores', 'location', 'boxes')
OPSET = 18
TOLERANCE = 1e-4
BATCH_SIZES = (1, 3, 8)


@dataclass(frozen=True)
class Agreement:
    """How far the file and PyTorch agree on random images.

    Attributes:
        difference: Largest difference of a logit or a score, in units of the largest of them or
            of 1, whichever is more: thousands of prototypes add up to large logits.
        same: In how many cases both find a prototype in the same place. Elsewhere two places are
            equally near but for rounding, or the scores, which are those of the places, differ.
        cases: Number of images times number of prototypes.
    """

    difference: float
    same: int
    cases: int


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


def input_size(cfg: Config) -> tuple[int, int]:
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


def export_onnx(
    model: ProtoPNet,
    size: tuple[int, int],
    out: Path,
    opset: int = OPSET,
) -> Agreement:
    """Write a classifier as ONNX, and compare what was written with PyTorch.

    By ``torch.onnx.export`` with ``dynamo=True``, whose graph holds for any number of images. See
    :class:`LocatingClassifier` for what goes in and comes out; :func:`metadata` is in the file.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`; it is in eval mode afterwards.
        size: Height and width of the images, in pixels.
        out: The file; it is replaced only by one that has been compared.
        opset: Version of ONNX's operators.

    Returns:
        How far they agree.

    Raises:
        InputError: If the model has no prototypes, does not take images of this size or cannot be
            exported, or if they do not agree.
    """
    import onnxruntime

    if not isinstance(model.head, ProtoPNetHead):
        raise InputError(
            f'the model has the head {type(model.head).__name__}: only one with a ProtoPNetHead '
            'has prototypes to export'
        )
    shape = (image_channels(model.backbone), *size)
    check_image_size(model.backbone, shape)
    model.eval()
    with whole_file(out) as file:
        try:
            program: Any = torch.onnx.export(
                LocatingClassifier(model).eval(),
                (torch.zeros(2, *shape),),
                dynamo=True,
                input_names=['images'],
                output_names=OUTPUTS,
                dynamic_shapes=dict(images={0: torch.export.Dim('batch')}),
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
        program.model.metadata_props.update(metadata(model, size))
        program.save(file, external_data=False)
        session = onnxruntime.InferenceSession(file, providers=['CPUExecutionProvider'])
        agreement = compare(session, model, shape)
        if not agreement.difference <= TOLERANCE:
            raise InputError(
                f'the exported model differs from the checkpoint by {agreement.difference:.1e}, '
                f'more than {TOLERANCE:.0e}: nothing was written; try another opset'
            )
    return agreement


def metadata(model: ProtoPNet, size: tuple[int, int]) -> dict[str, str]:
    """Return the file's ``metadata_props``: what goes in, and what the outputs stand for.

    ``prototypes`` is a JSON list of every prototype's class (-1 for none), its name if a person has
    given it one, and, if it is a training patch, the number of its image in the push set, its row
    and column in the feature map, and how far it was from the patch before it was pushed.
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
    return dict(
        images=f'float32 (N, {channels}, {size[0]}, {size[1]}), values from 0 to 255, channels '
        f'{order}; the normalisation is part of the model',
        logits='(N, classes)',
        scores='(N, prototypes): similarity of the nearest patch to each prototype',
        location='(N, prototypes, 2): row and column of that patch in the feature map',
        boxes='(N, prototypes, 4): its top, bottom, left and right in pixels, ends exclusive',
        classes=json.dumps(class_names(model)),
        prototypes=json.dumps(prototypes),
    )


@torch.no_grad()
def compare(session: Any, model: ProtoPNet, shape: tuple[int, int, int]) -> Agreement:
    """Run a session and the classifier itself on random images (C, H, W) in several batches."""
    generator = torch.Generator().manual_seed(0)
    difference, same, cases = 0.0, 0, 0
    for batch_size in BATCH_SIZES:
        images = torch.randint(256, (batch_size, *shape), generator=generator).float()
        found = session.run(OUTPUTS, dict(images=images.numpy()))
        logits, scores, location, _ = map(torch.from_numpy, found)
        preprocessor = model.data_preprocessor
        inputs = preprocessor(dict(inputs=images.flip(1) if preprocessor.to_rgb else images))
        expected = model.head.outputs(model.extract_feat(inputs['inputs']))
        for ours, theirs in ((expected.logits, logits), (expected.scores, scores)):
            scale = ours.abs().max().clamp(min=1)
            difference = max(difference, float((ours - theirs).abs().max() / scale))
        same += int((location == expected.locations).all(-1).sum())
        cases += scores.numel()
    return Agreement(difference, same, cases)
