from collections.abc import Sequence

from mmengine.evaluator import BaseMetric
from mmpretrain.registry import METRICS

from mmproto.errors import InputError


@METRICS.register_module()
class OwnClassPoints(BaseMetric):
    """How much of a prediction comes from the class's own prototypes.

    .. code:: python

        val_evaluator = [dict(type='Accuracy'), dict(type='OwnClassPoints')]

    It gives ``own_class_points/fraction``, the fraction of the true class's points that its own
    prototypes score, absolute points summed, the mean over the images; and
    ``own_class_points/top1``, the accuracy in percent if a class had the points of its own
    prototypes alone. A last layer that reasons by the other classes' prototypes, which looks
    like nothing in the image, has a small fraction and a ``top1`` below the accuracy. See
    :func:`mmproto.functional.own_class_points`.

    Args:
        collect_device: As for every metric of MMEngine.
        prefix: As for every metric of MMEngine.
    """

    default_prefix = 'own_class_points'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep of each image whether its own points are right, and their fraction.

        Args:
            data_batch: Not used.
            data_samples: The predictions of a ``ProtoPNetHead``.

        Raises:
            InputError: If they are of another head, or averaged over augmented images.
        """
        for sample in data_samples:
            if 'own_class_points' not in sample:
                raise InputError(
                    'OwnClassPoints needs the predictions of a ProtoPNetHead itself: take it out '
                    'of the evaluator of another head, and of test-time augmentation'
                )
            if len(sample['gt_label']) != 1:
                raise InputError(
                    'OwnClassPoints needs images of one class each: take it out of the evaluator '
                    'of data with any number of labels'
                )
            label = int(sample['gt_label'])
            correct = int(sample['own_class_points'].argmax()) == label
            self.results.append((correct, float(sample['own_class_fraction'][label])))

    def compute_metrics(self, results: list[tuple[bool, float]]) -> dict[str, float]:
        """Average over the images of all processes."""
        correct, fractions = zip(*results)
        count = len(results)
        return dict(fraction=sum(fractions) / count, top1=100 * sum(correct) / count)
