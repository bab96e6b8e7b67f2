from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmpretrain.registry import METRICS

from mmproto.engine.fixed_batches import (
    BATCH_SIZE,
    broadcast_buffers,
    map_in_order,
    one_thread_a_batch,
)
from mmproto.errors import InputError
from mmproto.evaluation.explained_image import annotations, explained_images
from mmproto.evaluation.figure import Figure, Measure
from mmproto.evaluation.figure_table import write_figures
from mmproto.evaluation.figures import BY_DEFAULT, MEASURES
from mmproto.evaluation.network_probe import NetworkProbe
from mmproto.models import ProtoPNet, ProtoPNetHead


@METRICS.register_module()
class ExplanationMetrics(BaseMetric):
    """Whether a model's explanations are true, in figures beside what chance gives.

    .. code:: python

        test_evaluator = [dict(type='Accuracy'), dict(type='ExplanationMetrics')]
        custom_hooks = [..., dict(type='ExplanationHook')]

    The hook, which is among those of ``configs/_base_/default_runtime.py``, hands it the network:
    it looks at changed images as well. Data without parts or masks gives the figures that need
    none. The result is the same for any number of processes. See docs/explanations.md.

    Args:
        measures: Names of what is measured; all but 'quantus' if None.
        out_dir: A folder for ``explanations.json`` and ``explanations.md``, if any.
        collect_device: As for every metric of MMEngine.
        prefix: As for every metric of MMEngine.

    Raises:
        InputError: If there is no measure of a name.
    """

    default_prefix = 'explanations'

    def __init__(
        self,
        measures: Sequence[str] | None = None,
        out_dir: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        for name in measures or ():
            if name not in MEASURES:
                raise InputError(f'measures has {name!r}: choose among {sorted(MEASURES)}')
        self.measures: list[Measure] = [MEASURES[name]() for name in measures or BY_DEFAULT]
        self.out_dir = out_dir
        self.found: list[Figure] = []
        self.missing: list[str] = []
        self.passes = 0

    def look_at(self, model: ProtoPNet, dataset: Any) -> None:
        """Hear whose explanations are measured, and on what.

        Args:
            model: The classifier.
            dataset: The data set whose images will come.

        Raises:
            InputError: If the classifier has no prototypes, or too many connections.
        """
        if not isinstance(model.head, ProtoPNetHead):
            raise InputError(
                f'ExplanationMetrics needs prototypes, and model.head is a '
                f'{type(model.head).__name__}: take it out of the evaluator'
            )
        model.head.last_layer.check_whole('ExplanationMetrics')
        broadcast_buffers(model)
        self.network, self.dataset = NetworkProbe(model), dataset
        self.known = annotations(dataset)
        self.missing = [one.name for one in self.measures if not {one.needs} <= {'', *self.known}]
        self.asked = [one for one in self.measures if one.name not in self.missing]
        for measure in self.asked:
            measure.begin(model, dataset)

    def process(self, data_batch: Mapping, data_samples: Sequence[Mapping]) -> None:
        """Look at the images of a batch, and keep what was found.

        Args:
            data_batch: The images as the data set gives them.
            data_samples: The predictions, which say which images they are.

        Raises:
            InputError: If nobody has handed over the network, or the samples do not say which
                image each is, or have several classes.
        """
        if not hasattr(self, 'network'):
            raise InputError(
                "ExplanationMetrics has no network to ask: add dict(type='ExplanationHook') to "
                'custom_hooks'
            )
        if any(
            'sample_idx' not in sample or len(sample['gt_label']) != 1 for sample in data_samples
        ):
            raise InputError(
                'ExplanationMetrics needs images of one class each that say their number: end the '
                "test pipeline with dict(type='PackInputs')"
            )
        network = self.network
        numbers = [int(sample['sample_idx']) for sample in data_samples]
        labels = [int(sample['gt_label']) for sample in data_samples]
        pixels = data_batch['inputs']
        inputs = network.model.data_preprocessor(dict(data_batch), training=False)['inputs']

        def look(rows: slice) -> list[dict[str, Any]]:
            images = explained_images(
                network,
                pixels[rows],
                inputs[rows],
                numbers[rows],
                labels[rows],
                self.dataset,
                self.known,
            )
            kept = [measure.look(images, network) for measure in self.asked]
            return [
                dict(number=image.number, label=image.label, found=list(found))
                for image, found in zip(images, zip(*kept))
            ]

        slices = [slice(i, i + BATCH_SIZE) for i in range(0, len(numbers), BATCH_SIZE)]
        if inputs.device.type == 'cuda':
            parts = list(map(look, slices))
        else:
            with one_thread_a_batch() as threads:
                parts = list(map_in_order(look, slices, threads))
        self.results.extend(row for part in parts for row in part)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Sum up over the images of all processes, and write down what came out."""
        rows = sorted(results, key=lambda row: row['number'])
        prototype_class = self.network.model.head.prototype_class.cpu().numpy()
        self.found = [
            figure
            for k, measure in enumerate(self.asked)
            for figure in measure.figures(
                [dict(row['found'][k], number=row['number'], label=row['label']) for row in rows],
                prototype_class,
            )
        ]
        return {figure.name: figure.estimate.value for figure in self.found}

    def evaluate(self, size: int) -> dict[str, float]:
        """As of every metric of MMEngine; says what it cost, and which figures are missing."""
        metrics = super().evaluate(size)
        total = torch.tensor(self.network.passes)
        all_reduce(total)
        self.passes = int(total)
        if is_main_process():
            logger = MMLogger.get_current_instance()
            logger.info(
                f'ExplanationMetrics took {self.passes} forward passes of an image, '
                f'{self.passes / max(size, 1):.0f} for each of {size}.'
            )
            for measure in self.measures:
                if measure.name in self.missing:
                    logger.info(f'{measure.name}: not measured, the data has no {measure.needs}')
            if self.out_dir is not None:
                write_figures(self.found, self.missing, size, self.passes, Path(self.out_dir))
        return metrics
