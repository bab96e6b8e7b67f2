from typing import Any

from mmengine.dataset import RepeatDataset
from mmpretrain.registry import DATASETS

from mmproto.errors import InputError


@DATASETS.register_module()
class RepeatToDataset(RepeatDataset):
    """Repeats a data set as often as it takes to have a number of images.

    Stages are so many epochs: of a few dozen images an epoch would be a few steps, and a training
    over before it has begun.

    .. code:: python

        train_dataloader = dict(dataset=dict(type='RepeatToDataset', least=200, dataset=images))

    Args:
        dataset: The data set, or its config.
        least: How many images an epoch has at least.

    Raises:
        InputError: If ``least`` is no positive integer.
    """

    def __init__(self, dataset: Any, least: int) -> None:
        if type(least) is not int or least < 1:
            raise InputError(
                f'train_dataloader.dataset.least={least!r}: it has to be an integer, at least 1'
            )
        super().__init__(dataset, times=1)
        self.times = -(-least // max(1, self._ori_len))
