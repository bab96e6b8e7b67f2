from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from mmproto.datasets.image_dataset import ImageDataset


class MapDataset(Dataset):
    """A data set that gives, in place of its images, the maps that a backbone makes of them.

    Args:
        images: The data set.
        maps: The map of each image (N, C, H, W).
        samples: The data sample of each image.
    """

    def __init__(self, images: ImageDataset, maps: Tensor, samples: list) -> None:
        self.images = images
        self.maps = maps
        self.samples = samples

    @property
    def metainfo(self) -> Mapping[str, Any]:
        """Of the images."""
        return self.images.metainfo

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return dict(inputs=self.maps[index], data_samples=self.samples[index].clone())

    def get_data_info(self, index: int) -> dict[str, Any]:
        """Return what is known of an image."""
        return self.images.get_data_info(index)


def images_of(dataset: Any) -> Any:
    """Return the data set with the images, whether a data set gives them or their maps."""
    return dataset.images if isinstance(dataset, MapDataset) else dataset
