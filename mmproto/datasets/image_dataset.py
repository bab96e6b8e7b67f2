from collections.abc import Mapping
from typing import Any, Protocol


class ImageDataset(Protocol):
    """What is asked of a data set beside its samples: MMPretrain's ``BaseDataset`` has it all."""

    @property
    def metainfo(self) -> Mapping[str, Any]:
        """``classes``, the names of the classes, and whatever else holds for all images."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return what the pipeline makes of an image: ``inputs`` (C, H, W) and ``data_samples``."""

    def get_data_info(self, index: int) -> dict[str, Any]:
        """Return what is known without loading the image.

        ``gt_label``, a number, or a list where images have any number of labels; ``img_path``.
        """
