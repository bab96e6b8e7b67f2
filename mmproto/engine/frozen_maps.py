"""Maps of a frozen backbone, made once and trained on in place of the images."""

from typing import Any

import torch
from mmengine.dist import all_gather_object
from mmpretrain.models import ClsDataPreprocessor
from torch import Tensor
from torch.utils.data import DataLoader

from mmproto.datasets.map_dataset import MapDataset
from mmproto.engine.fixed_batches import Images, map_images
from mmproto.models import ProtoPNet
from mmproto.models.backbones.backbone_info import is_channels_last


def map_dataset(model: ProtoPNet, dataloader: DataLoader) -> MapDataset:
    """Let every image of a data set through the backbone, shared out among the processes.

    Args:
        model: The classifier, in eval mode.
        dataloader: Images without augmentation, in the order of the data set.
    """

    def keep(images: Images) -> list[tuple[int, Tensor, Any]]:
        return [*zip(images.numbers.tolist(), images.features.cpu(), images.samples)]

    mine = [
        kept for batch in map_images(keep, model, dataloader, 'maps', 'backbone') for kept in batch
    ]
    # Samplers give some images to two processes.
    found = {number: rest for part in all_gather_object(mine) for number, *rest in part}
    dataset: Any = dataloader.dataset
    maps, samples = zip(*(found[number] for number in range(len(dataset))))
    return MapDataset(dataset, torch.stack(maps), [*samples])


def take_maps(model: ProtoPNet) -> None:
    """Let a classifier take maps of its backbone (N, C, H, W) in place of images.

    What is saved of the classifier stays the same.
    """
    backbone = model.backbone
    last = is_channels_last(backbone)

    def as_given(maps: Tensor) -> tuple[Tensor]:
        return (maps.permute(0, 2, 3, 1) if last else maps,)

    backbone.forward = as_given
    device = next(model.parameters()).device
    model.data_preprocessor, model.image_preprocessor = (
        ClsDataPreprocessor().to(device),
        model.data_preprocessor,
    )


def take_images(model: ProtoPNet) -> None:
    """Let a classifier take images again."""
    del model.backbone.forward
    model.data_preprocessor = model.image_preprocessor
    del model.image_preprocessor
