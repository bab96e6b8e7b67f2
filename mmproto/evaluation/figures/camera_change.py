from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmproto.evaluation.explained_image import ExplainedImage
from mmproto.evaluation.figure import Figure, Measure, Rows, mean_estimate
from mmproto.evaluation.measures.camera_change import another_camera
from mmproto.evaluation.network_probe import NetworkProbe


class CameraChange(Measure):
    """The accuracy on the same scenes by another camera.

    See :func:`mmproto.evaluation.measures.camera_change.another_camera`.
    """

    name = 'camera'

    def look(self, images: Sequence[ExplainedImage], network: NetworkProbe) -> list[dict[str, Any]]:
        """Keep of each image whether it is right before and after."""
        preprocess = network.model.data_preprocessor
        bgr = getattr(preprocess, 'to_rgb', False)  # which the preprocessor turns round
        changed = [_changed(image, bgr) for image in images]
        inputs = preprocess({'inputs': changed}, training=False)['inputs']
        logits = network.outputs(inputs).logits
        return [
            dict(
                right=image.predicted == image.label,
                right_after=int(after.argmax()) == image.label,
            )
            for image, after in zip(images, logits)
        ]

    def figures(self, rows: Rows, prototype_class: np.ndarray) -> list[Figure]:
        """Return the accuracy after the change, beside that before."""
        return [
            Figure(
                name='accuracy_of_another_camera',
                title='Accuracy by another camera',
                estimate=mean_estimate([row['right_after'] for row in rows]),
                chance={'without': float(np.mean([row['right'] for row in rows]))},
                meaning='What is left of the accuracy after a change of hue, contrast, noise, blur '
                'and compression that changes no part: far less, tints decide and not parts. Where '
                'colour is what tells classes, it may.',
            )
        ]


def _changed(image: ExplainedImage, bgr: bool) -> Tensor:
    """Return the pixels (C, H, W) by another camera, in their own order of channels."""
    pixels = image.pixels.permute(1, 2, 0).numpy()
    colour = pixels.shape[2] == 3
    seen = (pixels[..., ::-1] if bgr else pixels) if colour else pixels[..., 0]
    changed = another_camera(np.ascontiguousarray(seen), np.random.default_rng(image.number))
    if not colour:
        return torch.from_numpy(changed.copy())[None]
    changed = changed[..., ::-1] if bgr else changed
    return torch.from_numpy(changed.copy()).permute(2, 0, 1)
