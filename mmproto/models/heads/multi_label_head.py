from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from mmengine.dist import all_reduce
from mmpretrain.models.heads import MultiLabelClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample, label_to_onehot
from torch import Tensor, nn

from mmproto.errors import InputError
from mmproto.models.heads.protopnet_head import ProtoPNetHead


@MODELS.register_module()
class MultiLabelProtoPNetHead(ProtoPNetHead):
    """A :class:`ProtoPNetHead` for images that have any number of classes, or none.

    Each class has prototypes of its own, a sigmoid and a binary cross entropy; a push moves a
    prototype onto an image that has its class, whatever else it has.

    .. code:: python

        head=dict(type='MultiLabelProtoPNetHead', num_classes=14, in_channels=128,
                  loss=dict(type='ProtoPNetLoss', cls=dict(type='BinaryCrossEntropyCost')))

    Used by ``configs/protopnet/resnet34_findings_folder.py``. Two things differ from the paper's
    last layer, where softmax compares classes with each other:

    - A class has a bias, the points that every image begins with. Scores are not negative for most
      similarities, so without one no image could be told to have nothing. The first batch sets it,
      so that the logits of a class have the mean zero; it trains, and is solved, with the weights.
    - A prototype begins with no connection to other classes, since it does not speak against them.

    Args:
        num_classes: Number of classes.
        thr: Probability from which on a class is predicted; as in MMPretrain's
            ``MultiLabelClsHead``, 0.5 if ``topk`` is None too.
        topk: How many classes are predicted of every image, where ``thr`` is None.
        loss: Config of the loss; with a ``BinaryCrossEntropyCost`` if None.
        other_class_weight: See :class:`ProtoPNetHead`.
        **kwargs: As of :class:`ProtoPNetHead`, but ``cal_acc``.

    Raises:
        InputError: See :class:`ProtoPNetHead`.
    """

    predicts_one_class: ClassVar[bool] = False
    has_bias: Tensor
    topk: int | None

    def __init__(
        self,
        num_classes: int,
        thr: float | None = None,
        topk: int | None = None,
        loss: dict | nn.Module | None = None,
        other_class_weight: float = 0.0,
        **kwargs: Any,
    ) -> None:
        loss = loss or dict(type='ProtoPNetLoss', cls=dict(type='BinaryCrossEntropyCost'))
        super().__init__(num_classes, loss=loss, other_class_weight=other_class_weight, **kwargs)
        self.thr = 0.5 if thr is None and topk is None else thr
        self.topk = topk
        self.last_layer.bias = nn.Parameter(torch.zeros(num_classes))
        self.register_buffer('has_bias', torch.tensor(False))

    def true_labels(self, data_samples: Sequence[DataSample]) -> Tensor:
        """Which classes each sample has, bool (N, num_classes).

        Raises:
            InputError: If a sample carries mixed labels.
        """
        if 'gt_score' not in data_samples[0]:
            return torch.stack(
                [label_to_onehot(sample.gt_label, self.num_classes) > 0 for sample in data_samples]
            )
        scores = torch.stack([sample.gt_score for sample in data_samples])
        if not ((scores == 0) | (scores == 1)).all():
            raise InputError(
                'ProtoPNet compares an image with the prototypes of classes that it has: remove '
                'the batch augmentations (Mixup, CutMix) from model.train_cfg'
            )
        return scores > 0

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities of the classes, each by itself, of logits (..., num_classes)."""
        return logits.sigmoid()

    def predicted_labels(self, probabilities: Tensor) -> list[int]:
        """Return the classes predicted of an image, the most probable first."""
        ranked = probabilities.argsort(descending=True, stable=True).tolist()
        if self.thr is None:
            return ranked[: self.topk]
        return [label for label in ranked if probabilities[label] >= self.thr]

    def loss(self, feats: Sequence[Tensor], data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Return the weighted terms of the loss; the first batch sets the bias."""
        if not self.has_bias:
            self._centre_logits(feats)
        return super().loss(feats, data_samples)

    @torch.no_grad()
    def _centre_logits(self, feats: Sequence[Tensor]) -> None:
        mean = self.outputs(feats).logits.mean(dim=0)
        all_reduce(mean, 'mean')
        self.last_layer.bias.sub_(mean)
        self.has_bias.fill_(True)

    def set_last_layer(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """See :class:`ProtoPNetHead`; a bias that is given is not changed by a first batch."""
        super().set_last_layer(weight, bias)
        if bias is not None:
            self.has_bias.fill_(True)

    def _get_predictions(
        self, cls_score: Tensor, data_samples: list[DataSample] | None
    ) -> list[DataSample]:
        return MultiLabelClsHead._get_predictions(self, cls_score, data_samples)
