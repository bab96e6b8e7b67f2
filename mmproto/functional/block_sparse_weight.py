"""A last layer whose connections to other classes are one number, but for a few (section 2.1).

The matrix of C classes and P prototypes has C x P numbers, of which a prototype's own class makes
one each: for 10,000 classes with 10 prototypes a hundred thousand of a thousand million.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class BlockSparseWeight:
    """The weights (C, P) of a last layer, as ``P + M + 1`` numbers.

    Attributes:
        own: Weight of each prototype in the logit of its class (P,).
        shared: Weight of every connection to another class that is not listed, one number ().
        classes: Class of each connection that is listed (M,), another than the prototype's.
        prototypes: Its prototype (M,).
        others: Its weight (M,).
        prototype_class: Class of each prototype (P,).
        num_classes: Number of classes C.
    """

    own: Tensor
    shared: Tensor
    classes: Tensor
    prototypes: Tensor
    others: Tensor
    prototype_class: Tensor
    num_classes: int

    @classmethod
    def of(cls, weight: Tensor, prototype_class: Tensor) -> 'BlockSparseWeight':
        """Take a matrix (C, P) to pieces; nothing is listed where all other weights are equal."""
        labels = torch.arange(len(weight), device=weight.device)
        other = labels[:, None] != prototype_class
        values = weight[other]
        equal = bool(len(values)) and bool((values == values[0]).all())
        shared = values[0] if equal else weight.new_zeros(())
        classes, prototypes = (other & (weight != shared)).nonzero(as_tuple=True)
        return cls(
            own=weight.gather(0, prototype_class[None])[0],
            shared=shared,
            classes=classes,
            prototypes=prototypes,
            others=weight[classes, prototypes],
            prototype_class=prototype_class,
            num_classes=len(weight),
        )

    def points(self, scores: Tensor) -> Tensor:
        """Sum the points of scores (N, P) to logits (N, C), in O(N (P + M)).

        ``z_k = sum_j in k (w_j - w) s_j + w sum_j s_j + sum over the listed (w_kj - w) s_j``, w
        being what is shared.
        """
        sums = self.own_points(scores, self.own - self.shared)
        if len(self.others):
            listed = scores[:, self.prototypes] * (self.others - self.shared)
            sums = sums.index_add(1, self.classes, listed)
        return sums + self.shared * scores.sum(dim=1, keepdim=True)

    def own_points(self, scores: Tensor, weight: Tensor) -> Tensor:
        """Sum scores (N, P) times weights (P,) over the prototypes of each class: (N, C)."""
        nothing = scores.new_zeros(scores.shape[0], self.num_classes)
        return nothing.index_add(1, self.prototype_class, scores * weight)

    def own_class_points(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Return what :func:`mmproto.functional.own_class_points` does, in O(N (P + M))."""
        magnitude, absolute = self.abs(), scores.abs()
        every = magnitude.points(absolute).clamp(min=torch.finfo(scores.dtype).tiny)
        own = magnitude.own_points(absolute, magnitude.own)
        return self.own_points(scores, self.own), own / every

    def of_class(self, label: int) -> Tensor:
        """Return a row of the matrix, the weights (P,) of all scores in the logit of a class."""
        row = torch.where(self.prototype_class == label, self.own, self.shared)
        listed = self.classes == label
        return row.index_put((self.prototypes[listed],), self.others[listed])

    def whole(self) -> Tensor:
        """Return the matrix (C, P)."""
        labels = torch.arange(self.num_classes, device=self.own.device)
        matrix = torch.where(labels[:, None] == self.prototype_class, self.own, self.shared)
        return matrix.index_put((self.classes, self.prototypes), self.others)

    def abs(self) -> 'BlockSparseWeight':
        """Return the absolute values of all weights."""
        return replace(self, own=self.own.abs(), shared=self.shared.abs(), others=self.others.abs())

    def l1_cost(self) -> Tensor:
        """Return what :func:`mmproto.functional.l1_cost` does."""
        unlisted = (self.num_classes - 1) * len(self.own) - len(self.others)
        return self.others.abs().sum() + unlisted * self.shared.abs()

    def is_used(self) -> Tensor:
        """Return what :func:`mmproto.functional.is_used` does."""
        unlisted = (self.num_classes - 1) - torch.bincount(self.prototypes, minlength=len(self.own))
        used = (self.own != 0) | ((self.shared != 0) & (unlisted > 0))
        return used.index_put((self.prototypes[self.others != 0],), used.new_ones(()))

    def keep(self, keep: Tensor) -> 'BlockSparseWeight':
        """Drop the prototypes that are not in ``keep``, bool (P,), with their connections."""
        listed = keep[self.prototypes]
        return replace(
            self,
            own=self.own[keep],
            classes=self.classes[listed],
            prototypes=(keep.cumsum(dim=0) - 1)[self.prototypes[listed]],
            others=self.others[listed],
            prototype_class=self.prototype_class[keep],
        )
