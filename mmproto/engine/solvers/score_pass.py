"""The scores of a data set, computed once, for what is fitted to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

import torch
from mmengine.dist import all_reduce, get_rank, get_world_size, is_main_process
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader

from mmproto.models import ProtoPNet


class ImageScores(NamedTuple):
    """What is known of the images of a data set that this process has, no image being that of two.

    Attributes:
        scores: Score of every prototype on every image (N, P) in fp32.
        labels: Class of each image (N,), or which classes each has, bool (N, C).
        images: Index of each image in the data set (N,).
    """

    scores: Tensor
    labels: Tensor
    images: Tensor


@contextmanager
@torch.no_grad()
def score_images(
    model: ProtoPNet, dataloader: DataLoader, folder: str | None = None
) -> Iterator[ImageScores]:
    """Score every image of a data set on every prototype, each process its share.

    Args:
        model: A classifier with a :class:`ProtoPNetHead`, in eval mode.
        dataloader: Images without augmentation, in the order of the data set.
        folder: Where a temporary file for the scores goes that is mapped into memory; None for
            memory itself.

    Yields:
        The scores of this process's images.
    """
    dataset: Any = dataloader.dataset
    batches: Any = dataloader.batch_sampler
    indices = torch.tensor([index for batch in batches for index in batch])
    mine = _first_owner(indices, len(dataset))
    shape = int(mine.sum()), len(model.head.prototype_vectors)
    with _allocated(shape, folder) as scores:
        labels: list[Tensor] = []
        seen = kept = 0
        for data in track(dataloader, description='scores', disable=not is_main_process()):
            truth = model.head.true_labels(data['data_samples'])
            keep = mine[seen : seen + len(truth)]
            rows = slice(kept, kept + int(keep.sum()))
            inputs = model.data_preprocessor({'inputs': data['inputs']}, training=False)['inputs']
            scores[rows] = model.head.pre_logits(model.extract_feat(inputs)).cpu()[keep]
            labels.append(truth[keep])
            seen, kept = seen + len(truth), rows.stop
        yield ImageScores(scores, torch.cat(labels), indices[mine])


@contextmanager
def _allocated(shape: tuple[int, int], folder: str | None) -> Iterator[Tensor]:
    if folder is None:
        yield torch.empty(shape)
        return
    with NamedTemporaryFile(dir=folder, prefix='scores_') as file:
        size = shape[0] * shape[1]
        yield torch.from_file(file.name, shared=True, size=size).view(shape)


def _first_owner(indices: Tensor, images: int) -> Tensor:
    """Tell which of its images (M,) a process counts: samplers give some to several processes."""
    owner = torch.full((images,), get_world_size())
    owner[indices] = get_rank()
    all_reduce(owner, 'min')
    return owner[indices] == get_rank()
