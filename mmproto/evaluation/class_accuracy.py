from collections import Counter
from collections.abc import Sequence

from mmengine.evaluator import BaseMetric
from mmpretrain.registry import METRICS


@METRICS.register_module()
class ClassAccuracy(BaseMetric):
    """Accuracy of every class, and their mean, which no class can outweigh.

    .. code:: python

        val_evaluator = [dict(type='Accuracy'), dict(type='ClassAccuracy')]

    It gives ``accuracy/balanced``, the mean over the classes that have images, and for each of
    them ``accuracy/of/NAME``, all in percent. ``save_best='accuracy/balanced'`` keeps the
    checkpoint that is best for rare and frequent classes alike. Used by
    ``configs/_base_/datasets/folder.py``.

    Args:
        most_classes: With more classes than this the mean alone is given. Defaults to 10.
        collect_device: As for every metric of MMEngine.
        prefix: As for every metric of MMEngine.
    """

    default_prefix = 'accuracy'

    def __init__(
        self, most_classes: int = 10, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.most_classes = most_classes

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep of each image its class, and whether that is predicted."""
        for sample in data_samples:
            label = int(sample['gt_label'])
            self.results.append((label, int(sample['pred_score'].argmax()) == label))

    def compute_metrics(self, results: list[tuple[int, bool]]) -> dict[str, float]:
        """Average over the images of each class, and over the classes."""
        images = Counter(label for label, _ in results)
        correct = Counter(label for label, right in results if right)
        accuracy = {label: 100 * correct[label] / images[label] for label in sorted(images)}
        metrics = dict(balanced=sum(accuracy.values()) / len(accuracy))
        classes = (self.dataset_meta or {}).get('classes') or ()
        if max(len(classes), len(accuracy)) <= self.most_classes:
            names = dict(enumerate(classes))
            metrics |= {f'of/{names.get(n, n)}': value for n, value in accuracy.items()}
        return metrics
