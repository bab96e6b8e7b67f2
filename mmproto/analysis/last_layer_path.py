"""The last layer for one price of a connection after another, as data."""

from collections.abc import Iterator
from dataclasses import dataclass

from mmengine.dist import all_reduce, is_main_process
from rich.progress import track
from torch import Tensor

from mmproto.engine.solvers import SparseLastLayer
from mmproto.engine.solvers.score_pass import ImageScores
from mmproto.functional import (
    LastLayerSolution,
    last_layer_path,
    own_class_points,
    sparsest_within_one_standard_error,
    standard_error,
)
from mmproto.models import ProtoPNetHead

PRICES = 20
# Held-out images whose logits are in memory at a time.
BLOCK = 4096


@dataclass(frozen=True)
class PathPoint:
    """The last layer for one price.

    Attributes:
        l1_weight: The price of a connection to another class.
        connections: Number of those that are not zero.
        accuracy: Fraction of the held-out images that are right.
        own_fraction: Fraction of the true class's absolute points that its own prototypes score,
            on average over the held-out images.
        objective: Loss and penalty on the images that it is fitted to.
        residual: How far from optimal, relative to ``l1_weight``.
        iterations: Number of steps.
    """

    l1_weight: float
    connections: int
    accuracy: float
    own_fraction: float
    objective: float
    residual: float
    iterations: int


@dataclass(frozen=True)
class LastLayerPath:
    """The last layers from sparse to dense.

    Attributes:
        points: One for each price, the largest first.
        possible: Number of connections to other classes that there could be.
        images: Number of held-out images.
        origin: Which images they are, in words.
    """

    points: list[PathPoint]
    possible: int
    images: int
    origin: str

    @property
    def best_accuracy(self) -> float:
        """The highest accuracy on the held-out images."""
        return max(point.accuracy for point in self.points)

    @property
    def standard_error(self) -> float:
        """Standard error of that accuracy."""
        return standard_error(self.best_accuracy, self.images)

    @property
    def recommended(self) -> PathPoint:
        """The sparsest within one standard error of the best."""
        accuracies = [point.accuracy for point in self.points]
        connections = [point.connections for point in self.points]
        index = sparsest_within_one_standard_error(accuracies, connections, self.images)
        return self.points[index]

    def reason(self) -> str:
        """Why that one, in a sentence."""
        chosen = self.recommended
        return (
            f'Recommended: l1_weight={chosen.l1_weight:.2g}, the sparsest within one standard '
            f'error ({100 * self.standard_error:.1f}) of the best accuracy on the held-out images '
            f'({100 * self.best_accuracy:.1f} %): {100 * chosen.accuracy:.1f} % with '
            f'{chosen.connections} of {self.possible} connections to other classes.'
        )


def walk_path(
    solver: SparseLastLayer,
    head: ProtoPNetHead,
    fitted: tuple[ImageScores, Tensor],
    held_out: tuple[ImageScores, Tensor],
    origin: str,
) -> LastLayerPath:
    """Fit the last layer for one price after another; the head stays as it is.

    Args:
        solver: What its penalties are but for their ``l1_weight``.
        head: The head that the scores are of.
        fitted: Images of this process, and which rows of them the last layer is fitted to (n,).
        held_out: Images of this process, and which rows of them accuracy is counted on (m,).
        origin: Which images are held out, in words.
    """
    penalty = solver.penalty(head)
    loss = solver.loss(head, *fitted)
    solutions = last_layer_path(loss, penalty, PRICES, tolerance=solver.tolerance)
    points = []
    for solution in _shown(solutions):
        right, own_fraction, images = _on_images(solution, *held_out, head)
        points.append(
            PathPoint(
                l1_weight=solution.l1_weight,
                connections=int(solution.weight[~penalty.own].count_nonzero()),
                accuracy=right / images,
                own_fraction=own_fraction / images,
                objective=solution.objective,
                residual=solution.residual,
                iterations=solution.iterations,
            )
        )
    return LastLayerPath(points, int((~penalty.own).sum()), int(images), origin)


def _shown(solutions: Iterator[LastLayerSolution]) -> Iterator[LastLayerSolution]:
    yield from track(solutions, 'path', total=PRICES, disable=not is_main_process())


def _on_images(
    solution: LastLayerSolution, scored: ImageScores, rows: Tensor, head: ProtoPNetHead
) -> list[float]:
    """Sum over the images of all processes: right ones, fraction of own points, one each."""
    weight = solution.weight
    sums = weight.new_zeros(3)
    for block in rows.split(BLOCK):
        scores, labels = scored.scores[block].to(weight), scored.labels[block].to(weight.device)
        _, fraction = own_class_points(scores, weight, head.prototype_class)
        sums[0] += ((scores @ weight.t()).argmax(dim=1) == labels).sum()
        sums[1] += fraction.gather(1, labels[:, None]).sum()
        sums[2] += len(block)
    all_reduce(sums)
    return sums.tolist()
