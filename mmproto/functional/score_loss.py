"""The cross entropy of a last layer as a function of its connections, the scores being given."""

import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

# torch says it of every first sparse matrix; nothing here depends on what may change.
warnings.filterwarnings('ignore', message='Sparse CSR tensor support is in beta state')


class ScoreLoss:
    """Mean cross entropy of N images' scores under a sparse last layer, and its gradient.

    Works in double precision on the device of ``labels``. Scores that do not fit in memory lie in
    a file that is mapped into it, by ``torch.from_file`` or ``numpy.memmap``, and are read block
    by block. Every evaluation then reads the whole file, and a step of the solver takes two. Of
    several processes each has some of the images.

    Args:
        scores: Score of every prototype on every image (N, P), of any floating type.
        labels: Class of each image (N,).
        num_classes: Number of classes C.
        block_size: Images that are in memory at a time; None for all, which is faster.
        all_reduce: Sums a tensor over the processes in place; None for one process.
        rows: Which of the images count (n,), of those of this process; None for all.
    """

    def __init__(
        self,
        scores: Tensor,
        labels: Tensor,
        num_classes: int,
        block_size: int | None = None,
        all_reduce: Callable[[Tensor], None] | None = None,
        rows: Tensor | None = None,
    ) -> None:
        self.shape = num_classes, scores.shape[1]
        if rows is not None:
            labels = labels[rows.to(labels.device)]
        if rows is not None and not block_size:
            scores, rows = scores[rows], None
        self._rows = rows
        self._labels = labels
        self._columns = scores.t() if block_size else self._ready(scores.t())
        self._block_size = block_size or max(1, len(labels))
        self._all_reduce = all_reduce
        self.images = self._sum_processes(torch.tensor(len(labels), device=labels.device))

    def bias(self, weight: Tensor) -> Tensor | None:
        """Return the bias of each class (C,) that goes with weights (C, P); None for none."""
        return None

    def __call__(self, connected: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate on some connections alone.

        Args:
            connected: The M connections that there are, bool (C, P).
            weight: Their weights (M,), row by row.

        Returns:
            The loss, and its derivative by each of the weights (M,).
        """
        matrix = self._matrix(connected, weight)

        def derivative(excess: Tensor, scores: Tensor) -> Tensor:
            product = torch.sparse.sampled_addmm(matrix, excess, scores.t(), beta=0.0)
            return product.values()

        return self._evaluate(matrix, derivative, len(weight))

    def everywhere(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate at weights (C, P) most of which are zero.

        Returns:
            The loss, and its derivative by every connection (C, P).
        """
        used = weight != 0
        value, gradient = self._evaluate(
            self._matrix(used, weight[used]),
            lambda excess, scores: (excess @ scores.t()).flatten(),
            weight.numel(),
        )
        return value, gradient.view(self.shape)

    def _evaluate(
        self, matrix: Tensor, derivative: Callable[[Tensor, Tensor], Tensor], size: int
    ) -> tuple[Tensor, Tensor]:
        # Loss and gradient in one tensor, that the processes have to wait for each other once.
        total = matrix.values().new_zeros(1 + size)
        for scores, labels in self._blocks():
            log_probability = (matrix @ scores).log_softmax(dim=0)
            of_label = labels[None]
            total[0] -= log_probability.gather(0, of_label).sum()
            excess = log_probability.exp_()
            excess.scatter_add_(0, of_label, -torch.ones_like(excess[:1]))
            total[1:] += derivative(excess, scores)
        total = self._sum_processes(total) / self.images
        return total[0], total[1:]

    def _blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Scores (P, n) in double precision and labels (n,), some images at a time."""
        for first in range(0, len(self._labels), self._block_size):
            images = slice(first, first + self._block_size)
            columns = images if self._rows is None else self._rows[images]
            yield self._ready(self._columns[:, columns]), self._labels[images]

    def _ready(self, columns: Tensor) -> Tensor:
        """Scores of a prototype side by side, which a sparse product reads one after another."""
        return columns.to(self._labels.device, torch.float64).contiguous()

    def _matrix(self, connected: Tensor, weight: Tensor) -> Tensor:
        columns = connected.nonzero()[:, 1]
        ends = connected.sum(dim=1).cumsum(dim=0)
        starts = torch.cat([ends.new_zeros(1), ends])
        return torch.sparse_csr_tensor(starts, columns, weight, self.shape, check_invariants=False)

    def _sum_processes(self, tensor: Tensor) -> Tensor:
        if self._all_reduce is not None:
            self._all_reduce(tensor)
        return tensor
