from collections.abc import Mapping

from torch import Tensor, nn

from mmproto.functional import is_used, l1_cost, own_class_points


class LastLayer(nn.Module):
    """The connections of prototypes to classes, and how they are kept.

    A subclass says what is kept; what follows from the whole matrix (C, P) it may override by
    something that does without. ``prototype_class`` (P,) is the head's, -1 for none.

    Attributes:
        in_features: Number of prototypes P.
        out_features: Number of classes C.
        bias: What every logit begins with (C,), None for nothing.
    """

    in_features: int
    out_features: int
    bias: nn.Parameter

    def forward(self, scores: Tensor, prototype_class: Tensor) -> Tensor:
        """Sum the points of scores (N, P) to logits (N, C)."""
        raise NotImplementedError

    def whole(self, prototype_class: Tensor) -> Tensor:
        """Return the weight of every score in every logit (C, P).

        Raises:
            InputError: If these are too many numbers.
        """
        raise NotImplementedError

    def check_whole(self, reader: str) -> None:
        """Raise an InputError if :meth:`whole` would.

        Args:
            reader: What needs all connections, such as 'a report'.
        """

    @property
    def can_be_whole(self) -> bool:
        """Whether :meth:`whole` does not raise."""
        return True

    def set(self, weight: Tensor, prototype_class: Tensor) -> None:
        """Take other weights (C, P)."""
        raise NotImplementedError

    def keep(self, keep: Tensor, prototype_class: Tensor) -> None:
        """Drop the prototypes that are not in ``keep``, bool (P,), with their connections."""
        raise NotImplementedError

    def kept(self) -> tuple[Tensor, ...]:
        """Return the tensors that say all connections."""
        raise NotImplementedError

    def saved_classes(self, saved: Mapping[str, Tensor]) -> int | None:
        """Return the number of classes of a saved last layer, None if it is of another kind."""
        raise NotImplementedError

    def fits(self, saved: Mapping[str, Tensor], prototypes: int) -> bool:
        """Whether a saved last layer is one of these classes, with that many prototypes."""
        raise NotImplementedError

    def of_class(self, label: int, prototype_class: Tensor) -> Tensor:
        """Return the weight of every score in the logit of a class (P,)."""
        return self.whole(prototype_class)[label]

    def to_own_class(self, prototype_class: Tensor) -> Tensor:
        """Return each prototype's weight to its class (P,), to the first where it has none."""
        return self.whole(prototype_class).gather(0, prototype_class.clamp(min=0)[None])[0]

    def is_used(self, prototype_class: Tensor) -> Tensor:
        """Return which prototypes some class counts (P,)."""
        return is_used(self.whole(prototype_class))

    def l1_cost(self, prototype_class: Tensor) -> Tensor:
        """See :func:`mmproto.functional.l1_cost`."""
        return l1_cost(self.whole(prototype_class), prototype_class)

    def own_class_points(self, scores: Tensor, prototype_class: Tensor) -> tuple[Tensor, Tensor]:
        """See :func:`mmproto.functional.own_class_points`."""
        return own_class_points(scores, self.whole(prototype_class), prototype_class)
