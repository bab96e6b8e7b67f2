"""The images of a data set, one by one, with what the head computes of them."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from mmproto.analysis.image_patch import LocatedMap
from mmproto.analysis.patch_pixels import grey_copy
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.errors import InputError
from mmproto.models import ProtoPNet, ProtoPNetHead


@dataclass(frozen=True)
class ScoredImage:
    """An image, and what the head has computed of it.

    Attributes:
        index: Index of the image in its data set.
        input_size: Height and width of the network's input.
        feature_map: What the neck gave (1, D, H, W), where the network is.
        distances: Distance of the patch nearest to every prototype (P,).
        scores: Score of that distance (P,).
        locations: Row and column of that patch (P, 2).
        logits: Logit of every class (K,).
        grey: The image small and grey, see :func:`grey_copy`.
    """

    index: int
    input_size: tuple[int, int]
    feature_map: Tensor = field(repr=False)
    distances: np.ndarray = field(repr=False)
    scores: np.ndarray = field(repr=False)
    locations: np.ndarray = field(repr=False)
    logits: np.ndarray = field(repr=False)
    grey: np.ndarray = field(repr=False)

    @torch.no_grad()
    def located_maps(self, head: ProtoPNetHead, prototypes: Iterable[int]) -> dict[int, LocatedMap]:
        """Return the similarity maps of some prototypes, by the prototypes' indices."""
        prototypes = sorted(prototypes)
        if not prototypes:
            return {}
        maps = head.similarity_maps([self.feature_map])[0, prototypes].cpu().numpy()
        return {
            prototype: LocatedMap(
                score=float(self.scores[prototype]),
                location=tuple(self.locations[prototype].tolist()),
                # A copy: one that is kept must not keep those of all the others.
                similarity_map=one.copy(),
                input_size=self.input_size,
            )
            for prototype, one in zip(prototypes, maps)
        }

    @torch.no_grad()
    def patch_vector(self, head: ProtoPNetHead, prototype: int) -> np.ndarray:
        """Return the patch nearest to a prototype, as prototypes are compared with it (D*h*w,)."""
        row, column = self.locations[prototype].tolist()
        h, w = head.prototype_vectors.shape[2:]
        patch = self.feature_map[..., row : row + h, column : column + w]
        return head.patches([patch])[0, 0].cpu().numpy()


def scored_images(
    model: ProtoPNet, dataset: ImageDataset, batch_size: int, description: str
) -> Iterator[list[ScoredImage]]:
    """Send every image of a data set through a model once, with a progress bar.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`, in eval mode.
        dataset: Images without augmentation.
        batch_size: How many images go through at once.
        description: What the progress bar is called.

    Yields:
        The images of a batch.

    Raises:
        InputError: If the file of an image cannot be read.
    """
    indices = range(len(dataset))
    batches = [indices[i : i + batch_size] for i in range(0, len(indices), batch_size)]
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for batch in track(batches, description=description):
            inputs = list(pool.map(lambda index: _input(dataset, index), batch))
            yield _score(model, batch, inputs)


@torch.no_grad()
def _score(model: ProtoPNet, indices: range, inputs: list[Tensor]) -> list[ScoredImage]:
    """Send a batch through a model."""
    data = model.data_preprocessor({'inputs': inputs}, training=False)
    outputs = model.head.outputs(model.extract_feat(data['inputs']))
    input_size = tuple(data['inputs'].shape[-2:])
    arrays = (outputs.distances, outputs.scores, outputs.locations, outputs.logits)
    rows = zip(
        indices,
        outputs.feature_map.split(1),
        *(array.cpu().numpy() for array in arrays),
        map(grey_copy, inputs),
    )
    return [ScoredImage(index, input_size, *row) for index, *row in rows]


def _input(dataset: ImageDataset, index: int) -> Tensor:
    """Load an image."""
    try:
        return dataset[index]['inputs']
    except (AssertionError, OSError, cv2.error) as error:  # of MMCV, of the disk, of OpenCV
        path = dataset.get_data_info(index).get('img_path')
        if path is None:
            raise
        reason = ' '.join(str(error).split())
        raise InputError(
            f'{path} cannot be read as an image ({reason}): remove or replace the file'
        ) from error
