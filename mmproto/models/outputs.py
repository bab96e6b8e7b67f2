"""What a head computes of a batch, by name."""

from dataclasses import dataclass

from torch import Tensor

from mmproto.models.last_layers import LastLayer


@dataclass(frozen=True)
class HeadOutputs:
    """What :class:`ProtoPNetHead` has computed of N images, for losses and for whoever explains.

    Attributes:
        feature_map: What the neck gave (N, D, H, W).
        distances: Distance of each image's nearest patch to each prototype (N, P).
        locations: Row and column of that patch in the feature map (N, P, 2).
        scores: Score of that distance (N, P).
        logits: Logits (N, num_classes).
        prototypes: The prototypes (P, D, h, w); in the steps of a training that spreads them over
            processes, those of this process.
        prototype_class: Class of each prototype (P,), -1 for none.
        last_layer: What sums the scores to the logits.
    """

    feature_map: Tensor
    distances: Tensor
    locations: Tensor
    scores: Tensor
    logits: Tensor
    prototypes: Tensor
    prototype_class: Tensor
    last_layer: LastLayer

    @property
    def last_layer_weight(self) -> Tensor:
        """Weight of each score in each logit (num_classes, P).

        Raises:
            InputError: If these are too many, as of thousands of classes.
        """
        return self.last_layer.whole(self.prototype_class)

    def class_weight(self, label: int) -> Tensor:
        """Weight of each score in the logit of a class (P,)."""
        return self.last_layer.of_class(label, self.prototype_class)
