"""The binary cross entropies of a last layer as a function of its connections."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmproto.errors import InputError
from mmproto.functional.score_loss import ScoreLoss

# Each step halves the interval at least, or is Newton's: quadratic near the root.
STEPS = 100


class BinaryScoreLoss(ScoreLoss):
    """Binary cross entropy, summed over the classes, mean over the images, at the best bias.

    ``min_b 1/N sum_i sum_k softplus(z_ik + b_k) - y_ik (z_ik + b_k)``, z the points of the
    connections. The bias of a class costs nothing, so the best one is known for any weights; what
    is left is convex in the weights, and its gradient is that at this bias. So a solver of
    :class:`ScoreLoss` solves it too. Labels (N, C) are bool: which classes each image has.

    Args:
        *args: As of :class:`ScoreLoss`.
        **kwargs: As of :class:`ScoreLoss`.

    Raises:
        InputError: If a class has no image, or all: no bias is the best then.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._frequency = self._sum_processes(self._labels.sum(dim=0).double()) / self.images
        for label, frequency in enumerate(self._frequency.tolist()):
            if not 0 < frequency < 1:
                which = 'every' if frequency else 'no'
                raise InputError(
                    f'{which} training image has class {label}: the last layer needs images with '
                    'and without it'
                )
        self._bias = self._frequency.logit()

    def bias(self, weight: Tensor) -> Tensor:
        """Return the best bias of each class (C,) for weights (C, P)."""
        used = weight != 0
        return self._best_bias(self._points(self._matrix(used, weight[used].double())))

    def _evaluate(
        self, matrix: Tensor, derivative: Callable[[Tensor, Tensor], Tensor], size: int
    ) -> tuple[Tensor, Tensor]:
        points = self._points(matrix)
        logits = points + self._best_bias(points)[:, None]
        total = matrix.values().new_zeros(1 + size)
        seen = 0
        for scores, labels in self._blocks():
            some, truth = logits[:, seen : seen + len(labels)], labels.t().double()
            total[0] += F.binary_cross_entropy_with_logits(some, truth, reduction='sum')
            total[1:] += derivative(some.sigmoid() - truth, scores)
            seen += len(labels)
        total = self._sum_processes(total) / self.images
        return total[0], total[1:]

    def _points(self, matrix: Tensor) -> Tensor:
        """Points of every class on this process's images (C, N)."""
        return torch.cat([matrix @ scores for scores, _ in self._blocks()], dim=1)

    def _best_bias(self, points: Tensor) -> Tensor:
        """Return the bias (C,) at which the mean probability of a class is its frequency.

        By Newton's method, from where it ended last, kept within what brackets the root.
        """
        farthest = self._sum_processes(points.abs().amax(dim=1))
        least = self._frequency.logit() - farthest
        most = self._frequency.logit() + farthest
        bias = self._bias.clamp(least, most)
        for _ in range(STEPS):
            probability = (points + bias[:, None]).sigmoid()
            sums = torch.stack(
                [probability.sum(dim=1), (probability * (1 - probability)).sum(dim=1)]
            )
            mean, slope = self._sum_processes(sums) / self.images
            above = mean - self._frequency
            most = torch.where(above > 0, bias, most)
            least = torch.where(above < 0, bias, least)
            newton = bias - above / slope
            inside = (least <= newton) & (newton <= most)
            new = torch.where(inside, newton, (least + most) / 2)
            new = torch.where(above == 0, bias, new)
            if torch.allclose(new, bias, rtol=1e-13, atol=1e-13, equal_nan=True):
                break
            bias = new
        self._bias = bias
        return bias
