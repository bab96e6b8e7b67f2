"""What a model makes of every image of a data set, in one pass."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmproto.datasets.checks import labels_of
from mmproto.errors import InputError
from mmproto.explanation.explain import MOST_SIMILAR


@dataclass(frozen=True)
class DatasetScores:
    """Scores and logits of N images.

    Attributes:
        score: Score of every prototype, the similarity of its nearest patch (N, P), fp32.
        cell: Row and column of that patch in the feature map (N, P, 2).
        logit: Logit of every class (N, K), fp32.
        label: True class of every image (N,).
    """

    score: np.ndarray
    cell: np.ndarray
    logit: np.ndarray
    label: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """The predicted class of every image (N,)."""
        return self.logit.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        """Softmax probability of the predicted class (N,)."""
        return torch.from_numpy(self.logit).softmax(dim=1).amax(dim=1).numpy()

    @property
    def most_activated(self) -> np.ndarray:
        """The ten highest-scoring prototypes of every image (N, 10), fewer if there are fewer."""
        return np.argsort(-self.score, axis=1, kind='stable')[:, :MOST_SIMILAR]


@dataclass(frozen=True)
class ScoredDataset:
    """A data set and what the model makes of it."""

    dataset: Dataset
    survey: DatasetScores


@torch.no_grad()
def survey(
    model: nn.Module, dataset: Dataset, batch_size: int, name: str = 'survey'
) -> DatasetScores:
    """Run every image of a data set through a model.

    Args:
        model: A classifier with a ``ProtoPNetHead``, in eval mode.
        dataset: Images without augmentation.
        batch_size: How many images go through at once.
        name: What the progress bar is called.
    """
    head = model.head
    parts = []
    for _, features, _ in feature_maps(model, dataset, range(len(dataset)), batch_size, name):
        outputs = head.outputs([features])
        locations = outputs.locations.to('cpu', torch.int16)
        parts.append((outputs.scores.cpu(), locations, outputs.logits.cpu()))
    score, cell, logit = (torch.cat(part).numpy() for part in zip(*parts))
    return DatasetScores(score=score, cell=cell, logit=logit, label=labels_of(dataset))


@torch.no_grad()
def feature_maps(
    model: nn.Module, dataset: Dataset, images: Sequence[int], batch_size: int, name: str
) -> Iterator[tuple[Sequence[int], Tensor, tuple[int, int]]]:
    """Run some images of a data set through the network, with a progress bar.

    Args:
        model: The classifier, in eval mode.
        dataset: The data set.
        images: Their numbers.
        batch_size: How many images go through at once.
        name: What the progress bar is called.

    Yields:
        For each batch the images' numbers, their feature maps (N, D, H', W') as the head gets
        them, and height and width of the network's input.

    Raises:
        InputError: If the file of an image cannot be read.
    """
    batches = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for batch in track(batches, description=name):
            inputs = list(pool.map(lambda image: _input(dataset, image), batch))
            data = model.data_preprocessor({'inputs': inputs}, training=False)
            size = tuple(data['inputs'].shape[-2:])
            yield batch, model.extract_feat(data['inputs'])[-1], size


def _input(dataset: Dataset, image: int) -> Tensor:
    try:
        return dataset[image]['inputs']
    except (AssertionError, OSError, cv2.error) as error:  # of MMCV, of the disk, of OpenCV
        path = dataset.get_data_info(image).get('img_path')
        if path is None:
            raise
        reason = ' '.join(str(error).split())
        raise InputError(
            f'{path} cannot be read as a picture ({reason}): remove or replace the file'
        ) from error
