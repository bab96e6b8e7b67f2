from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from mmpretrain.evaluation import Accuracy
from mmpretrain.models.heads import ClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmproto.errors import InputError
from mmproto.functional import (
    NearestImages,
    NearestPatch,
    NearestPatches,
    true_fp32,
)
from mmproto.models.heads.checkpoint_fit import fit_to_checkpoint
from mmproto.models.heads.decisions import no_decisions
from mmproto.models.heads.prototype_count import prototype_classes
from mmproto.models.heads.prototype_names import decode_names, encode_name
from mmproto.models.heads.prototype_shares import PrototypeShares
from mmproto.models.last_layers import build_last_layer
from mmproto.models.losses import build_loss
from mmproto.models.outputs import HeadOutputs
from mmproto.models.similarities import Similarity, build_similarity

BOXES = ['peak', 'percentile']


def _height_and_width(size: int | Sequence[int]) -> tuple[int, int]:
    height_and_width = tuple(size) if isinstance(size, list | tuple) else (size, size)
    if len(height_and_width) != 2 or not all(
        type(side) is int and side >= 1 for side in height_and_width
    ):
        raise InputError(
            f'model.head.prototype_size={size!r}: give one side, or height and width, at least 1'
        )
    return height_and_width


@MODELS.register_module()
class ProtoPNetHead(ClsHead):
    """Prototypes, their similarity to an image, and the points that they score (section 2.1).

    .. code:: python

        head=dict(type='ProtoPNetHead', num_classes=200, in_channels=128,
                  prototypes_per_class=10, prototype_size=1, similarity='log',
                  loss=dict(type='ProtoPNetLoss'))

    Everything is computed in fp32, under autocast as well. Beside the weights the state dict says
    where each prototype comes from: ``prototype_class`` (P,), ``prototype_image`` (P,), the index
    in the push set, ``prototype_location`` (P, 2), row and column in the feature map,
    ``prototype_distance`` (P,), how far it was from that patch; and ``prototypes_are_patches``,
    which turns False as soon as a training step can move prototypes or patches.

    What a person has decided travels along: ``prototype_name`` (P, 64), UTF-8; and what no push
    may choose, ``forbidden_patch`` (F, 3), image in the push set, row and column, with everything
    within ``forbidden_radius`` (F,) of it, and, if ``only_on_objects``, the patches outside the
    objects' boxes.

    Args:
        num_classes: Number of classes.
        in_channels: Channels D of a prototype.
        prototypes_per_class: Prototypes of each class, or a list with one number for each class,
            such as ``[3, 0, 1]``; a class without prototypes has what others say of it. None for
            prototypes without a class.
        num_prototypes: Number of prototypes; only needed for prototypes without a class.
        prototype_size: Height and width (h, w) of a prototype, or one number for both.
        similarity: Config of a :class:`Similarity`, or 'log', 'linear' or 'cosine' for short.
        other_class_weight: First weight from a prototype to the classes that are not its own.
        last_layer: 'dense', a weight for every prototype and class; 'block_sparse' for thousands of
            classes, see :class:`BlockSparseLastLayer`; or the config of a :class:`LastLayer`.
        box: What the box of a prototype is around, wherever one is shown: 'peak', the region
            of the 5 % most similar pixels that holds the cell that scored; or 'percentile', all of
            these pixels, as in the paper.
        loss: Config of the loss; the paper's if None.
        topk: As in MMPretrain's ``ClsHead``.
        cal_acc: As in MMPretrain's ``ClsHead``.
        init_cfg: As for every module of MMEngine.

    Raises:
        InputError: If the number of prototypes does not fit the classes, or ``similarity`` or
            ``last_layer`` is none, ``box`` is unknown, or ``loss`` is no :class:`ProtoPNetLoss`.
    """

    predicts_one_class: ClassVar[bool] = True
    shares: PrototypeShares | None = None  # while each process holds some of the prototypes

    prototype_class: Tensor
    prototype_image: Tensor
    prototype_location: Tensor
    prototype_distance: Tensor
    prototypes_are_patches: Tensor
    prototype_name: Tensor
    forbidden_patch: Tensor
    forbidden_radius: Tensor
    only_on_objects: Tensor

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 128,
        prototypes_per_class: int | Sequence[int] | None = 10,
        num_prototypes: int | None = None,
        prototype_size: int | tuple[int, int] = 1,
        similarity: str | dict | Similarity = 'log',
        other_class_weight: float = -0.5,
        last_layer: str | dict = 'dense',
        box: str = 'peak',
        loss: dict | nn.Module | None = None,
        topk: int | tuple[int, ...] = (1,),
        cal_acc: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(loss=build_loss(loss), topk=topk, cal_acc=cal_acc, init_cfg=init_cfg)
        prototype_class = prototype_classes(num_classes, prototypes_per_class, num_prototypes)
        size = _height_and_width(prototype_size)
        if box not in BOXES:
            raise InputError(f'model.head.box={box!r} is unknown: choose one of {BOXES}')
        count = len(prototype_class)

        self.num_classes = num_classes
        self.box = box
        self.similarity = build_similarity(similarity)
        self.prototype_vectors = nn.Parameter(torch.rand(count, in_channels, *size))
        self.constrain()
        self.last_layer = build_last_layer(
            last_layer,
            prototype_class,
            num_classes,
            other_class_weight,
            classless=prototypes_per_class is None,
        )
        self.register_buffer('prototype_class', prototype_class)
        self.register_buffer('prototype_image', torch.full((count,), -1))
        self.register_buffer('prototype_location', torch.full((count, 2), -1))
        self.register_buffer('prototype_distance', torch.full((count,), float('nan')))
        self.register_buffer('prototypes_are_patches', torch.tensor(False))
        for name, value in no_decisions(count).items():
            self.register_buffer(name, value)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        fit_to_checkpoint(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)

    @property
    def prototype_patches(self) -> Tensor:
        """Patch that each prototype comes from: image in the push set, row and column (P, 3)."""
        return torch.cat([self.prototype_image[:, None], self.prototype_location], dim=1)

    @property
    def prototype_names(self) -> list[str]:
        """The prototypes' names, '' for none."""
        return decode_names(self.prototype_name)

    def name_prototypes(self, names: Mapping[int, str]) -> None:
        """Name prototypes; '' takes a name away.

        Args:
            names: Names by the numbers of the prototypes, at most 64 bytes in UTF-8.

        Raises:
            InputError: If a name is too long or no line of text; no prototype is named then.
        """
        rows = {number: encode_name(name) for number, name in names.items()}
        for number, row in rows.items():
            self.prototype_name[number] = row.to(self.prototype_name)

    def forbid(self, patches: Tensor, radii: Tensor) -> None:
        """Let no later push choose some patches, nor what is near them.

        Args:
            patches: Image in the push set, row and column of each (F, 3).
            radii: Distance (F,), as the similarity measures it, up to which other patches are
                left out as well; 0 for none.
        """
        self.forbidden_patch = torch.cat([self.forbidden_patch, patches.to(self.forbidden_patch)])
        self.forbidden_radius = torch.cat([self.forbidden_radius, radii.to(self.forbidden_radius)])

    @property
    def tunes_last_layer(self) -> bool:
        """Whether the paper's schedule trains the last layer after a push."""
        return self.similarity.tunes_last_layer

    @property
    def highest_score(self) -> float:
        """What a prototype scores on a patch that equals it, on images of no known class."""
        nothing = self.prototype_vectors.new_zeros(1, len(self.prototype_class))
        return float(self.score_maps(nothing).max())

    @torch.no_grad()
    def constrain(self) -> None:
        """Bring the prototypes back to what their similarity asks for, after a step."""
        self.similarity.constrain(self.prototype_vectors)

    def share_out(self) -> PrototypeShares:
        """Hold this process's share of the prototypes alone, for the steps of a training.

        Until :meth:`put_together` the head computes outputs and losses, on all processes at once,
        and nothing else.
        """
        self.shares = PrototypeShares(len(self.prototype_class))
        self.prototype_vectors.data = self.shares.own(self.prototype_vectors.data)
        return self.shares

    def put_together(self) -> None:
        """Hold all prototypes again, as everything but a training step asks for."""
        if self.shares is not None:
            self.prototype_vectors.data = self.shares.together(self.prototype_vectors.data)
            self.shares = None

    def outputs(
        self,
        feats: Sequence[Tensor],
        labels: Tensor | None = None,
        prototypes: Tensor | None = None,
    ) -> HeadOutputs:
        """Compute everything that follows from the neck's last feature map (N, D, H, W).

        Args:
            feats: The neck's maps.
            labels: Labels of the images in training, as of :meth:`true_labels`; None elsewhere.
            prototypes: What to compare with in place of the head's own (P, D, h, w), such as what
                a push is about to make of them.

        Raises:
            InputError: If the neck gives another number of channels than a prototype has.
        """
        features = self._features(feats)
        prototypes = self.prototype_vectors if prototypes is None else prototypes
        if self.shares is None:
            distances, locations = self.similarity.nearest(features, prototypes)
        else:
            distances, locations = self.shares.nearest(self.similarity, features, prototypes)
        scores = self.similarity.score(distances, labels, self.prototype_class)
        return HeadOutputs(
            feature_map=features,
            distances=distances,
            locations=locations,
            scores=scores,
            logits=self.logits(scores),
            prototypes=prototypes,
            prototype_class=self.prototype_class,
            last_layer=self.last_layer,
        )

    def similarity_maps(self, feats: Sequence[Tensor]) -> Tensor:
        """Score of every patch for every prototype (N, P, H', W').

        The greatest of a map is the prototype's score.
        """
        maps = self.similarity.distance_maps(self._features(feats), self.prototype_vectors)
        return self.score_maps(maps)

    def score_maps(self, distance_maps: Tensor) -> Tensor:
        """Turn distances (N, P), or maps of them (N, P, H', W'), into scores."""
        return self.similarity.score(distance_maps, None, self.prototype_class)

    def patches(self, feats: Sequence[Tensor]) -> Tensor:
        """Every patch (N, L, D*h*w), row-major, as prototypes are compared with it."""
        return self.similarity.patches(self._features(feats), self.prototype_vectors)

    def distances(self, patches: Tensor, others: Tensor) -> Tensor:
        """Exact distances (L, M) of patches (L, K) to other patches or prototypes (M, K)."""
        with true_fp32(patches.device.type):
            return self.similarity.exact_pairwise_distance(patches, others)

    def pre_logits(self, feats: Sequence[Tensor]) -> Tensor:
        """Score of every prototype: (N, P)."""
        return self.outputs(feats).scores

    def logits(self, scores: Tensor) -> Tensor:
        """Sum the points: scores (N, P) to logits (N, num_classes)."""
        with true_fp32(scores.device.type):
            return self.last_layer(scores, self.prototype_class)

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Logits (N, num_classes) of the neck's last feature map (N, D, H, W)."""
        return self.outputs(feats).logits

    def predict(
        self, feats: Sequence[Tensor], data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Predict as every head of MMPretrain does.

        For metrics that look at the prototypes a sample also gets ``prototype_scores`` (P,) and
        ``prototype_locations`` (P, 2), see :class:`HeadOutputs`; and ``own_class_points`` and
        ``own_class_fraction`` (num_classes,), see :func:`mmproto.functional.own_class_points`.
        """
        outputs = self.outputs(feats)
        with true_fp32(outputs.scores.device.type):
            points, fraction = self.last_layer.own_class_points(
                outputs.scores, self.prototype_class
            )
        samples = self._get_predictions(outputs.logits, data_samples)
        fields = dict(
            prototype_scores=outputs.scores,
            prototype_locations=outputs.locations,
            own_class_points=points,
            own_class_fraction=fraction,
        )
        for name, values in fields.items():
            for sample, value in zip(samples, values):
                sample.set_field(value.clone(), name)
        for sample in samples:  # a view would be pickled with the whole batch
            sample.set_pred_score(sample.pred_score.clone())
            sample.set_pred_label(sample.pred_label.clone())
        return samples

    def true_labels(self, data_samples: Sequence[DataSample]) -> Tensor:
        """Class of each sample (N,), which training, push and solvers go by.

        Raises:
            InputError: If a sample carries mixed labels, several or none.
        """
        if 'gt_score' in data_samples[0]:
            raise InputError(
                'ProtoPNet compares an image with the prototypes of its one class: remove the '
                'batch augmentations (Mixup, CutMix) from model.train_cfg'
            )
        labels = [sample.gt_label for sample in data_samples]
        if any(len(label) != 1 for label in labels):
            raise InputError(
                'an image has several labels, or none: ProtoPNetHead needs one class for each '
                "image; for any number of them set model.head.type='MultiLabelProtoPNetHead', as "
                'configs/protopnet/resnet34_findings_folder.py does'
            )
        return torch.cat(labels)

    def predicted_labels(self, probabilities: Tensor) -> list[int]:
        """Return the classes predicted of an image, of its probabilities (num_classes,)."""
        return [int(probabilities.argmax())]

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities of the classes, of logits (..., num_classes)."""
        return logits.softmax(dim=-1)

    def loss(self, feats: Sequence[Tensor], data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Return the weighted terms of the loss, see :class:`ProtoPNetLoss`.

        Raises:
            InputError: If a sample carries mixed labels, several or none.
        """
        labels = self.true_labels(data_samples)
        if feats[-1].requires_grad or self.prototype_vectors.requires_grad:
            self.leave_patches()
        outputs = self.outputs(feats, labels)
        losses = self.loss_module(outputs, labels)
        if self.cal_acc:
            accuracy = Accuracy.calculate(outputs.logits, labels, topk=self.topk, thrs=(None,))
            losses.update({f'accuracy_top-{k}': value for k, value in zip(self.topk, accuracy)})
        return losses

    def nearest_patches(
        self,
        feats: Sequence[Tensor],
        labels: Tensor,
        images: Tensor,
        allowed: Tensor | None = None,
    ) -> NearestPatch:
        """Find for every prototype the nearest patch of its class in a batch of the push set.

        Args:
            feats: The neck's maps.
            labels: Labels of the images, as of :meth:`true_labels`.
            images: Index of each image in the push set (N,), ascending.
            allowed: Which patches may be chosen, bool (N, L), row-major; all if None.
        """
        return self.similarity.nearest_of_class(
            self._features(feats),
            labels,
            images,
            self.prototype_vectors,
            self.prototype_class,
            allowed,
        )

    def nearest_few_patches(
        self,
        feats: Sequence[Tensor],
        labels: Tensor,
        images: Tensor,
        k: int,
        allowed: Tensor | None = None,
    ) -> NearestPatches:
        """Find for every prototype the k nearest patches of its class in a batch.

        Args:
            feats: As of :meth:`nearest_patches`, like all the others but ``k``.
            labels: Labels of the images.
            images: Index of each image in the push set (N,).
            k: How many patches to find of each prototype.
            allowed: Which patches may be chosen, bool (N, L); all if None.
        """
        return self.similarity.nearest_few_of_class(
            self._features(feats),
            labels,
            images,
            self.prototype_vectors,
            self.prototype_class,
            k,
            allowed,
        )

    def nearest_images(self, feats: Sequence[Tensor], images: Tensor, k: int) -> NearestImages:
        """Find for every prototype the k images of a batch with the patches nearest to it.

        Args:
            feats: The neck's maps.
            images: Index of each image in the data set (N,).
            k: How many images, of whatever class.
        """
        return self.similarity.nearest_images(
            self._features(feats), images, self.prototype_vectors, k
        )

    def _features(self, feats: Sequence[Tensor]) -> Tensor:
        """Return the last map, if its channels fit the prototypes."""
        given, expected = feats[-1].shape[1], self.prototype_vectors.shape[1]
        if given != expected:
            raise InputError(
                f'model.head.in_channels={expected} does not fit: the neck gives {given} channels; '
                'set model.head.in_channels and model.neck.out_channels to the same number'
            )
        return feats[-1]

    @torch.no_grad()
    def push(self, nearest: NearestPatch) -> None:
        """Replace every prototype by the patch found for it, and note where it comes from.

        Args:
            nearest: The nearest training patch of every prototype.
        """
        self.prototype_vectors.copy_(nearest.vector)
        self.prototype_image.copy_(nearest.image)
        self.prototype_location.copy_(nearest.location)
        self.prototype_distance.copy_(nearest.distance)
        self.prototypes_are_patches.fill_(True)

    def leave_patches(self) -> None:
        """Note that prototypes or patches are about to move, until the next push."""
        self.prototypes_are_patches.fill_(False)

    @property
    def last_layer_weight(self) -> Tensor:
        """Weight of each score in each logit (num_classes, P), not to be changed in place.

        Raises:
            InputError: If these are too many, as of thousands of classes.
        """
        return self.last_layer.whole(self.prototype_class).detach()

    @torch.no_grad()
    def set_last_layer(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """Give the last layer other weights (num_classes, P), and where it has one a bias."""
        self.last_layer.set(weight, self.prototype_class)
        if bias is not None:
            self.last_layer.bias.copy_(bias)

    @torch.no_grad()
    def prune(self, keep: Tensor) -> None:
        """Drop prototypes with their connections.

        Args:
            keep: Bool (P,), True for the prototypes that stay.
        """
        self.prototype_vectors = nn.Parameter(self.prototype_vectors[keep])
        self.last_layer.keep(keep, self.prototype_class)
        for name in ('class', 'image', 'location', 'distance', 'name'):
            buffer = getattr(self, f'prototype_{name}')
            self.register_buffer(f'prototype_{name}', buffer[keep])
