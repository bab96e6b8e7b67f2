"""The figures of a model's explanations, on as many test images as a report has time for."""

from rich.progress import track

from mmproto.datasets.image_dataset import ImageDataset
from mmproto.datasets.spread_dataset import SpreadDataset
from mmproto.evaluation import ExplanationMetrics
from mmproto.evaluation.figure import Figure
from mmproto.models import ProtoPNet

MOST = 240  # images


def explanation_figures(
    model: ProtoPNet, dataset: ImageDataset, batch_size: int, most: int = MOST
) -> tuple[list[Figure], int]:
    """Measure a model's explanations on test images that are spread over the data set.

    ``tools/evaluate_explanations.py`` does so on all of them, on several processes.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`, in eval mode.
        dataset: The test set.
        batch_size: How many images are loaded at once.
        most: How many images are looked at.

    Returns:
        The figures, and of how many images they are.
    """
    some = SpreadDataset(dataset, most)
    metric = ExplanationMetrics()
    metric.look_at(model, some)
    for numbers in track(_batches(len(some), batch_size), description='figures'):
        items = [some[number] for number in numbers]
        samples = [
            dict(gt_label=item['data_samples'].gt_label, sample_idx=number)
            for item, number in zip(items, numbers)
        ]
        metric.process(dict(inputs=[item['inputs'] for item in items]), samples)
    metric.evaluate(len(some))
    return metric.found, len(some)


def _batches(count: int, size: int) -> list[range]:
    return [range(first, min(first + size, count)) for first in range(0, count, size)]
