import copy

import torch
from torch import Tensor, nn

from mmproto.models import ProtoPNet


class LocatingClassifier(nn.Module):
    """A classifier from plain images on, that says where it has found its prototypes.

    Args:
        classifier: A classifier with a :class:`ProtoPNetHead`.
    """

    def __init__(self, classifier: ProtoPNet) -> None:
        super().__init__()
        self.classifier = classifier
        # Outside MMCV images are RGB already.
        self.preprocessor = copy.copy(classifier.data_preprocessor)
        self.preprocessor.to_rgb = False

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Classify images.

        Args:
            images: Images (N, C, H, W) of values from 0 to 255, RGB if the classifier is.

        Returns:
            Logits (N, num_classes); scores (N, P), the similarity of every prototype's nearest
            patch; location (N, P, 2), that patch's row and column in the feature map; and boxes
            (N, P, 4), top, bottom, left and right of its cells in pixels, ends exclusive.
        """
        inputs = self.preprocessor(dict(inputs=images))['inputs']
        head = self.classifier.head
        outputs = head.outputs(self.classifier.extract_feat(inputs))
        sides = []
        for axis in (0, 1):
            start, cells = outputs.locations[..., axis], head.prototype_vectors.shape[2 + axis]
            pixels, side = inputs.shape[2 + axis], outputs.feature_map.shape[2 + axis]
            sides += [start * pixels // side, (start + cells) * pixels // side]
        return outputs.logits, outputs.scores, outputs.locations, torch.stack(sides, dim=-1)
