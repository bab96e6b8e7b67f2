"""The networks that are compared, and random images for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch.utils.data import DataLoader, Dataset

from mmproto.models import ProtoPNet

PER_CLASS = 10
MOST_CLASSES = 200


@dataclass(frozen=True)
class Setting:
    """What is compared on what images.

    Attributes:
        backbone: Name of a timm model.
        size: Side of the images, in pixels.
        prototypes: Number of prototypes: ten a class, or more where classes are too few.
        channels: Channels of a prototype.
        device: Where to compute.
        memory_format: As of :class:`FittedClassifier`.
        out_index: Which of the network's maps the heads look at, the last by default.
        most_classes: How many classes there are at most.
    """

    backbone: str
    size: int
    prototypes: int
    channels: int = 128
    device: str = 'cpu'
    memory_format: str = 'contiguous_format'
    out_index: int = -1
    most_classes: int = MOST_CLASSES

    @property
    def classes(self) -> int:
        """Number of classes."""
        return min(self.most_classes, self.prototypes // PER_CLASS)

    def protopnet(self) -> ProtoPNet:
        """Build a ProtoPNet with random weights."""
        return self._build(
            'ProtoPNet',
            neck=dict(type='ProtoPNetAddOn', out_channels=self.channels),
            head=dict(
                type='ProtoPNetHead',
                num_classes=self.classes,
                in_channels=self.channels,
                prototypes_per_class=self.prototypes // self.classes,
            ),
        )

    def baseline(self) -> ImageClassifier:
        """Build the same backbone with a linear head."""
        return self._build(
            'LinearClassifier',
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=self.classes),
        )

    def _build(self, kind: str, neck: dict, head: dict) -> Any:
        init_default_scope('mmpretrain')
        torch.manual_seed(0)
        backbone = dict(
            type='TIMMBackbone',
            model_name=self.backbone,
            features_only=True,
            out_indices=(self.out_index,),
        )
        parts = dict(backbone=backbone, neck=neck, head=head)
        model = MODELS.build(dict(type=kind, memory_format=self.memory_format, **parts))
        return model.to(self.device)


class RandomImages(Dataset):
    """Random images of every class in turn.

    Args:
        count: How many.
        setting: Their size and classes.
    """

    def __init__(self, count: int, setting: Setting) -> None:
        shape = (count, 3, setting.size, setting.size)
        self.images = torch.randint(0, 256, shape, dtype=torch.uint8)
        self.labels = torch.arange(count) * setting.classes // count
        self.metainfo = dict(classes=[f'class {label}' for label in range(setting.classes)])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = DataSample().set_gt_label(int(self.labels[index]))
        return dict(inputs=self.images[index], data_samples=sample)

    def get_data_info(self, index: int) -> dict[str, Any]:
        """Return what a push asks of an image."""
        return dict(img_path=f'{index}.png', gt_label=int(self.labels[index]))

    def batch(self, size: int) -> dict[str, Any]:
        """Return the first images as a batch."""
        samples: Sequence[dict] = [self[index] for index in range(size)]
        return dict(
            inputs=torch.stack([sample['inputs'] for sample in samples]),
            data_samples=[sample['data_samples'] for sample in samples],
        )

    def loader(self, batch_size: int) -> DataLoader:
        """Return a loader of all images, in order."""
        return Runner.build_dataloader(
            ConfigDict(
                batch_size=batch_size,
                num_workers=0,
                dataset=self,
                sampler=dict(type='DefaultSampler', shuffle=False),
                collate_fn=dict(type='default_collate'),
            )
        )
