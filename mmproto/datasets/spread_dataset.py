"""Some images of a data set, spread evenly over it."""

from typing import Any


class SpreadDataset:
    """Every n-th image of a data set, which is asked for all else.

    Args:
        dataset: The data set.
        most: How many images there may be.
    """

    def __init__(self, dataset: Any, most: int) -> None:
        self.dataset = dataset
        self.numbers = range(0, len(dataset), -(-len(dataset) // most))

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return an image as the data set gives it."""
        return self.dataset[self.numbers[index]]

    def get_data_info(self, index: int) -> dict[str, Any]:
        """Return what the data set knows of an image."""
        return self.dataset.get_data_info(self.numbers[index])

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset':  # not there while it is being copied
            raise AttributeError(name)
        return getattr(self.dataset, name)
