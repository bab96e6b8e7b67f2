import logging
from functools import partial

import torch
from mmengine.dist import all_reduce, broadcast, get_rank, get_world_size
from mmengine.logging import print_log
from mmpretrain.registry import TASK_UTILS
from torch import Tensor
from torch.utils.data import DataLoader

from mmproto.engine.solvers.score_pass import ImageScores, score_images
from mmproto.functional import (
    BinaryScoreLoss,
    ConnectionPenalty,
    ScoreLoss,
    own_connections,
    solve_last_layer,
)
from mmproto.models import ProtoPNet, ProtoPNetHead


@TASK_UTILS.register_module()
class SparseLastLayer:
    """Solves the convex problem of the last layer (section 2.2) until nothing can be gained.

    Minimises the mean cross entropy of the training images, plus ``l1_weight`` times the absolute
    sum of the connections to other classes, plus ``l2_weight / 2`` times the squared distance of
    the connections to the own class from 1. What comes out is sparse: most connections to other
    classes are exactly zero. It takes the place of the epochs of a stage:

    .. code:: python

        optim_wrapper = dict(stages=dict(last_layer=dict(
            _delete_=True, solver=dict(type='SparseLastLayer', l1_weight=1e-2, l2_weight=1e-2))))

    Where images have any number of classes, the loss is the sum of the binary cross entropies of
    the classes, and the bias of each class, which costs nothing, is fitted along with its weights.

    The scores are computed once, each process computing its share.

    Args:
        l1_weight: The larger, the fewer connections to other classes.
        l2_weight: The larger, the nearer to 1 the connections to the own class.
        non_negative: Whether no connection may be below zero, so that prototypes speak for
            classes only, never against them.
        tolerance: Largest slope that may be left, relative to ``l1_weight``.
        scores_dir: Folder for a temporary file of the scores, four bytes each, where they do not
            fit in memory; each step then reads it twice. None for memory.
        block_size: Images of that file that are in memory at a time.

    Raises:
        InputError: If a weight is not positive, or a score not finite.
    """

    def __init__(
        self,
        l1_weight: float = 1e-2,
        l2_weight: float = 1e-2,
        non_negative: bool = False,
        tolerance: float = 1e-6,
        scores_dir: str | None = None,
        block_size: int = 4096,
    ) -> None:
        self._penalty = partial(
            ConnectionPenalty,
            l1_weight=l1_weight,
            l2_weight=l2_weight,
            non_negative=non_negative,
        )
        self._penalty(torch.empty(0, dtype=torch.bool))  # refuses weights now, not after hours
        self.tolerance = tolerance
        self.scores_dir = scores_dir
        self.block_size = block_size

    def __call__(self, model: ProtoPNet, dataloader: DataLoader) -> dict[str, float]:
        """Fit the last layer to the training images.

        Args:
            model: The classifier, in eval mode.
            dataloader: Training images without augmentation, this process's share.

        Returns:
            What :meth:`solve` gives.
        """
        head = model.head
        head.last_layer.check_whole('SparseLastLayer')
        with score_images(model, dataloader, self.scores_dir) as scored:
            return self.solve(head, self.loss(head, scored), self.penalty(head))

    def loss(
        self, head: ProtoPNetHead, scored: ImageScores, rows: Tensor | None = None
    ) -> ScoreLoss:
        """Return the loss of images whose scores are known.

        Args:
            head: The head that the scores are of.
            scored: The images that this process has scored.
            rows: Which of them count (n,), None for all.
        """
        loss = ScoreLoss if scored.labels.ndim == 1 else BinaryScoreLoss
        return loss(
            scored.scores,
            scored.labels.to(head.prototype_class.device),
            head.num_classes,
            block_size=self.block_size if self.scores_dir else None,
            all_reduce=all_reduce if get_world_size() > 1 else None,
            rows=rows,
        )

    def penalty(self, head: ProtoPNetHead) -> ConnectionPenalty:
        """Return what the connections of a head cost."""
        return self._penalty(own_connections(head.prototype_class, head.num_classes))

    @torch.no_grad()
    def solve(
        self, head: ProtoPNetHead, loss: ScoreLoss, penalty: ConnectionPenalty
    ) -> dict[str, float]:
        """Give a head the last layer that is optimal.

        Args:
            head: The head.
            loss: The loss of the training images.
            penalty: What its connections cost.

        Returns:
            ``objective``, ``residual``, ``iterations``, and ``connections``, the number of those
            to other classes that are not zero.
        """
        solution = solve_last_layer(loss, penalty, tolerance=self.tolerance)
        if solution.residual > self.tolerance and get_rank() == 0:
            print_log(
                f'The last layer is not optimal after {solution.iterations} steps: the residual '
                f'is {solution.residual:.1e}, and was to be {self.tolerance:.1e}; scores on a '
                'similar scale or a larger l2_weight make it easier.',
                logger='current',
                level=logging.WARNING,
            )
        weight, bias = solution.weight, loss.bias(solution.weight)
        broadcast(weight)
        if bias is not None:
            broadcast(bias)
        head.set_last_layer(weight, bias)
        return dict(
            objective=solution.objective,
            residual=solution.residual,
            iterations=solution.iterations,
            connections=int(solution.weight[~penalty.own].count_nonzero()),
        )
