"""What a page needs to follow a person who takes prototypes away."""

from dataclasses import dataclass, field

import numpy as np

from mmproto.analysis.dataset_scores import DatasetScores
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.datasets.object_boxes import has_boxes
from mmproto.models import ProtoPNetHead
from mmproto.models.heads.fingerprint import fingerprint

MOST_NUMBERS = 20_000_000  # 80 MB


@dataclass(frozen=True)
class EditableModel:
    """A head, and what it makes of N test images, as a page carries it.

    The logits without some prototypes are the scores of the others times their weights.

    Attributes:
        fingerprint: What tells the head from any other.
        labels: True class of every test image (N,).
        weight: Weight of every prototype in the logit of every class (K, P), fp32.
        scores: Score of every prototype on every test image (N, P), fp32; None if they are too
            many for a page.
        pushed: Whether the prototypes are patches, which can be forbidden.
        has_boxes: Whether the push set knows the objects' boxes.
    """

    fingerprint: str
    labels: np.ndarray = field(repr=False)
    weight: np.ndarray = field(repr=False)
    scores: np.ndarray | None = field(repr=False)
    pushed: bool
    has_boxes: bool

    @property
    def scored(self) -> bool:
        """Whether the page can say what the model does without some prototypes."""
        return self.scores is not None


def fits_into_page(images: int, prototypes: int, classes: int) -> bool:
    """Whether scores and weights are few enough to be carried by a page."""
    return (images + classes) * prototypes <= MOST_NUMBERS


def editable_model(
    head: ProtoPNetHead, test: DatasetScores, push_set: ImageDataset
) -> EditableModel:
    """Collect what a page needs to follow the edits of a model.

    Args:
        head: The :class:`ProtoPNetHead`.
        test: What the model makes of the test set; its scores may be missing.
        push_set: The training images; empty if they are not there.
    """
    return EditableModel(
        fingerprint=fingerprint(head),
        labels=test.labels,
        weight=head.last_layer_weight.cpu().numpy(),
        scores=test.scores,
        pushed=bool(head.prototypes_are_patches),
        has_boxes=len(push_set) > 0 and has_boxes(push_set),
    )
