"""Networks combined by the sum of their logits, as for the paper's 84.8 %."""

import os.path as osp
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import collect_results
from mmengine.runner import Runner
from mmpretrain.evaluation import Accuracy
from mmpretrain.models import ImageClassifier
from torch import Tensor
from torch.utils.data import DataLoader

from mmproto.apis.classifier import Classes, check_same_classes, load_classifier
from mmproto.apis.one_class import check_one_class
from mmproto.datasets.checks import labels_of
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.errors import InputError


@dataclass(frozen=True)
class Member:
    """A network of an ensemble, with the test set as it sees it.

    Attributes:
        name: What messages call it.
        model: The classifier with its weights.
        dataloader: The test images in order.
        classes: Names of the classes that it was trained on, where they are known.
    """

    name: str
    model: ImageClassifier
    dataloader: DataLoader
    classes: tuple[str, ...] | None

    @property
    def told_apart(self) -> Classes:
        """What the network tells apart."""
        return Classes(self.name, self.model.head.num_classes, self.classes or ())


@dataclass(frozen=True)
class EnsemblePrediction:
    """What the members say of every image.

    Attributes:
        logits: Logits (M, N, num_classes) of M members for N images.
        labels: Class (N,) of every image.
    """

    logits: Tensor
    labels: Tensor

    def summed(self) -> Tensor:
        """Logits (N, num_classes) of the combined network."""
        return self.logits.sum(dim=0)

    def member_accuracies(self) -> list[dict[str, float]]:
        """Top-1 of each member in percent, and top-5 where there are as many classes."""
        return [accuracies(logits, self.labels) for logits in self.logits]

    def accuracies(self) -> dict[str, float]:
        """Top-1 of the combined network in percent, and top-5 where there are as many classes."""
        return accuracies(self.summed(), self.labels)


def accuracies(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Accuracies in percent of logits (N, num_classes) for labels (N,): 'top1', perhaps 'top5'."""
    topk = [k for k in (1, 5) if k <= logits.shape[1]]
    values = Accuracy.calculate(logits, labels, topk=topk, thrs=(None,))
    return {f'top{k}': value.item() for k, (value,) in zip(topk, values)}


def load_member(cfg: Config, checkpoint: str) -> Member:
    """Build what a config describes: the network, with a checkpoint's weights, and its test set.

    Args:
        cfg: The config of a ProtoPNet or of any other classifier of MMPretrain.
        checkpoint: Its checkpoint, a file or an address.

    Returns:
        The member; its network is on the CPU.

    Raises:
        InputError: If the config has no test set, or the checkpoint is not of this network.
    """
    name = osp.basename(cfg.filename or checkpoint)
    if cfg.get('test_dataloader') is None:
        raise InputError(f'{name} has no test_dataloader: set it to the data to test on')
    model = load_classifier(cfg, checkpoint)
    check_one_class(model, 'an ensemble')
    in_order = dict(sampler=dict(type='DefaultSampler', shuffle=False), drop_last=False)
    dataloader = Runner.build_dataloader({**cfg.test_dataloader, **in_order})
    tested_on = getattr(dataloader.dataset, 'metainfo', {})
    classes = model._dataset_meta.get('classes') or tested_on.get('classes')
    return Member(name, model, dataloader, tuple(classes) if classes else None)


def image_names(dataset: ImageDataset) -> list[str]:
    """Path of every image under the data set's folder; of one in memory a number of its pixels."""
    root = getattr(dataset, 'data_root', None) or '.'
    infos = (dataset.get_data_info(i) for i in range(len(dataset)))
    return [
        osp.relpath(info['img_path'], root)
        if 'img_path' in info
        else f'an image of the checksum {crc32(np.ascontiguousarray(info.get("img", 0)).data):08x}'
        for info in infos
    ]


def check_same_images(one: Member, other: Member) -> None:
    """Raise an InputError for two members whose test sets list other images or labels."""
    advice = 'test_dataloader.dataset has to list the same images in the same order'
    data: tuple[Any, Any] = one.dataloader.dataset, other.dataloader.dataset
    count = len(data[0]), len(data[1])
    if count[0] != count[1]:
        raise InputError(
            f'{one.name} tests on {count[0]} images and {other.name} on {count[1]}: {advice}'
        )
    labels = [labels_of(dataset).tolist() for dataset in data]
    for i, (names, pair) in enumerate(zip(zip(*map(image_names, data)), zip(*labels))):
        if names[0] != names[1] or pair[0] != pair[1]:
            raise InputError(
                f'test image {i} is {names[0]} of class {pair[0]} for {one.name} and {names[1]} '
                f'of class {pair[1]} for {other.name}: {advice}'
            )


@torch.no_grad()
def predict_logits(model: ImageClassifier, dataloader: DataLoader) -> Tensor | None:
    """Logits (N, num_classes) of all images in the data set's order, each process doing a share.

    Args:
        model: A classifier of MMPretrain; it is in eval mode afterwards.
        dataloader: Loads with MMEngine's ``DefaultSampler``, not shuffled.

    Returns:
        The logits on the CPU in the first process, None in the others.
    """
    model.eval()
    share = []
    for batch in dataloader:
        inputs = model.data_preprocessor(batch, training=False)['inputs']
        # rows of an array travel alone, rows of a tensor with the whole batch
        share.extend(model(inputs, mode='tensor').float().cpu().numpy())
    dataset: Any = dataloader.dataset
    rows = collect_results(share, len(dataset))
    return None if rows is None else torch.stack([torch.from_numpy(row) for row in rows])


def predict_ensemble(
    members: Sequence[Member], device: str | torch.device | None = None
) -> EnsemblePrediction | None:
    """Let every member look at the test set, each by its own pipeline.

    .. code:: python

        members = [load_member(Config.fromfile(config), checkpoint) for config, checkpoint in ...]
        print(predict_ensemble(members).accuracies())

    Args:
        members: At least one.
        device: Where to compute; a GPU by default, if there is one. Members move there in turn.

    Returns:
        The prediction in the first process, None in the others.

    Raises:
        InputError: If the members have not all the same classes, images and labels.
    """
    for one, other in pairwise(members):
        check_same_classes(
            one.told_apart, other.told_apart, 'only networks of the same classes can be combined'
        )
        check_same_images(one, other)
    logits: list[Any] = []
    for member in members:
        member.model.to(device or get_device())
        logits.append(predict_logits(member.model, member.dataloader))
        member.model.cpu()
    if logits[0] is None:
        return None
    dataset: Any = members[0].dataloader.dataset
    labels = torch.from_numpy(labels_of(dataset))
    return EnsemblePrediction(torch.stack(logits), labels)
