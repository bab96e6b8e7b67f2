from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from mmproto.functional import (
    NearestImages,
    NearestPatch,
    NearestPatches,
    nearest_distance,
    nearest_images,
    nearest_patch,
    nearest_patches,
    true_fp32,
    unfold_patches,
)
from mmproto.functional.nearest_distance import NUMBERS, distance_at

# Rounded distances are off by no more than so often what they are off by at the nearest patches.
ROUNDING = 4.0

Found = TypeVar('Found')


class Comparison(NamedTuple):
    """Patches compared with prototypes.

    Attributes:
        patches: The patches (N, L, K).
        pairwise: Distance of every patch to every prototype (N, L, P); it may be rounded.
        nearest: Number of the nearest patch (N, P).
        distance: Its exact distance (N, P).
    """

    patches: Tensor
    pairwise: Tensor
    nearest: Tensor
    distance: Tensor


class Metric(NamedTuple):
    """The metric that a similarity's distance is a rising function of, for certificates of pushes.

    Attributes:
        of_distance: Gives the metric of distances; it obeys the triangle inequality.
        to_distance: Gives the distance back.
    """

    of_distance: Callable[[Tensor], Tensor]
    to_distance: Callable[[Tensor], Tensor]


class FollowedPatches(NamedTuple):
    """What N images' nearest patches become when prototypes move; distances are the similarity's.

    Attributes:
        nearest: Distance of the nearest patch to each prototype (N, P).
        others: Distance of the next patch to each prototype (N, P), infinite if there is one only.
        followed: Distance of the nearest patch to what each prototype becomes (N, P).
        rounding: By how much the least of an image's distances may be off (N, 1), because the
            nearest patch is found by rounded distances.
    """

    nearest: Tensor
    others: Tensor
    followed: Tensor
    rounding: Tensor


class Similarity(nn.Module):
    """The one owner of "patch against prototype": how far they are apart, and what that scores.

    A subclass gives the equations, :meth:`distance` and :meth:`score`, and where it needs them
    :meth:`embed`, :meth:`pairwise_distance` and :meth:`constrain`. Training, push, maps,
    explanations and export follow from these, so that they agree.

    .. code:: python

        @MODELS.register_module()
        class ManhattanSimilarity(Similarity):
            def distance(self, patches, prototypes):
                return (patches - prototypes).abs().sum(-1)

            def score(self, distances, labels=None, prototype_class=None):
                return torch.exp(-distances)

        head=dict(type='ProtoPNetHead', similarity=dict(type='ManhattanSimilarity'), ...)

    Patches and prototypes come as vectors of K = D*h*w numbers in fp32.

    Attributes:
        tunes_last_layer: Whether the paper's schedule trains the last layer after a push.
        metric: The metric behind the distance, see :class:`Metric`. Without it a push cannot say
            which predictions it does not change.
    """

    tunes_last_layer = True
    metric: ClassVar[Metric | None] = None

    def embed(self, patches: Tensor) -> Tensor:
        """Map patches (..., K) to the space where prototypes live; a pushed prototype is one."""
        return patches

    def distance(self, patches: Tensor, prototypes: Tensor) -> Tensor:
        """Return the distance (...) of patches (..., K) to prototypes (..., K), broadcast.

        The less it is, the more alike they are; it need not be a metric.
        """
        raise NotImplementedError

    def pairwise_distance(self, patches: Tensor, prototypes: Tensor) -> Tensor:
        """Return the distances (N, L, P) of all patches (N, L, K) to all prototypes (P, K).

        Override it where there is a faster way; it may round, since the distance of the nearest
        patch is then computed by :meth:`distance`.
        """
        return self.exact_pairwise_distance(patches, prototypes)

    def exact_pairwise_distance(self, patches: Tensor, prototypes: Tensor) -> Tensor:
        """Return exact distances (..., P) of all patches (..., K), some prototypes at a time."""
        step = max(1, NUMBERS // patches.shape[-1])
        blocks = (self.distance(patches[..., None, :], some) for some in prototypes.split(step))
        return torch.cat(list(blocks), dim=-1)

    def score(
        self, distances: Tensor, labels: Tensor | None = None, prototype_class: Tensor | None = None
    ) -> Tensor:
        """Return the score of a distance, which falls as the distance grows.

        Args:
            distances: Distances (N, P), or maps of them (N, P, H', W').
            labels: Class of each image (N,) in training, for a margin; None elsewhere.
            prototype_class: Class of each prototype (P,), -1 for none.

        Returns:
            Scores of the shape of the distances.
        """
        raise NotImplementedError

    def constrain(self, prototypes: Tensor) -> None:
        """Change prototypes (P, D, h, w) in place to what they have to satisfy after a step."""

    def nearest(self, features: Tensor, prototypes: Tensor) -> tuple[Tensor, Tensor]:
        """Find each image's nearest patch to every prototype.

        Args:
            features: Feature maps (N, D, H, W).
            prototypes: Prototypes (P, D, h, w).

        Returns:
            Distances (N, P) in fp32, exact; and row and column (N, P, 2) of the patches in the
            feature map.
        """
        with true_fp32(features.device.type):
            patches, vectors = self.patches(features, prototypes), prototypes.flatten(1).float()
            distance, nearest = self._nearest(patches, vectors)
        columns = features.shape[-1] - prototypes.shape[-1] + 1
        rows = nearest // columns
        # Not nearest % columns: torch.onnx takes no remainder by what depends on the image's size.
        return distance, torch.stack([rows, nearest - rows * columns], dim=-1)

    @torch.no_grad()
    def follow(self, features: Tensor, prototypes: Tensor, moved: Tensor) -> FollowedPatches:
        """Compare each image's nearest patches with what their prototypes become.

        Args:
            features: Feature maps (N, D, H, W).
            prototypes: Prototypes (P, D, h, w).
            moved: What they become (P, D, h, w).
        """
        compared = self._compare(features, prototypes)
        places = compared.nearest[:, None]
        rounded = compared.pairwise.gather(1, places).squeeze(1)
        off = (rounded - compared.distance).abs().amax(dim=1, keepdim=True)
        vectors = moved.flatten(1).float()
        with true_fp32(features.device.type):
            followed = distance_at(self.distance, compared.patches, compared.nearest, vectors)
        return FollowedPatches(
            nearest=compared.distance,
            others=compared.pairwise.scatter(1, places, float('inf')).amin(dim=1),
            followed=followed,
            rounding=ROUNDING * off,
        )

    def distance_maps(self, features: Tensor, prototypes: Tensor) -> Tensor:
        """Return the distance of every patch to every prototype (N, P, H', W').

        The least one of a map is that of :meth:`nearest`: rounding makes no patch nearer.
        """
        compared = self._compare(features, prototypes)
        exact = compared.distance[:, None]
        maps = torch.maximum(compared.pairwise, exact).scatter(1, compared.nearest[:, None], exact)
        return maps.transpose(1, 2).unflatten(2, _map_size(features, prototypes))

    @torch.no_grad()
    def nearest_of_class(
        self,
        features: Tensor,
        labels: Tensor,
        images: Tensor,
        prototypes: Tensor,
        prototype_class: Tensor,
        allowed: Tensor | None = None,
    ) -> NearestPatch:
        """Find what a push takes of a batch, see :func:`mmproto.functional.nearest_patch`."""
        return self._search(
            nearest_patch,
            features,
            prototypes,
            labels=labels,
            images=images,
            prototype_class=prototype_class,
            allowed=allowed,
        )

    @torch.no_grad()
    def nearest_few_of_class(
        self,
        features: Tensor,
        labels: Tensor,
        images: Tensor,
        prototypes: Tensor,
        prototype_class: Tensor,
        k: int,
        allowed: Tensor | None = None,
    ) -> NearestPatches:
        """Find what a push chooses from, see :func:`mmproto.functional.nearest_patches`."""
        return self._search(
            nearest_patches,
            features,
            prototypes,
            labels=labels,
            images=images,
            prototype_class=prototype_class,
            k=k,
            allowed=allowed,
        )

    @torch.no_grad()
    def nearest_images(
        self, features: Tensor, images: Tensor, prototypes: Tensor, k: int
    ) -> NearestImages:
        """Find the nearest images of a batch, see :func:`mmproto.functional.nearest_images`."""
        return self._search(nearest_images, features, prototypes, images=images, k=k)

    def patches(self, features: Tensor, prototypes: Tensor) -> Tensor:
        """Every patch (N, L, K), row-major, as prototypes are compared with it."""
        return self.embed(unfold_patches(features, (prototypes.shape[-2], prototypes.shape[-1])))

    def _search(
        self, find: Callable[..., Found], features: Tensor, prototypes: Tensor, **given: Any
    ) -> Found:
        """Call a search through all patches of a batch, of :mod:`mmproto.functional`."""
        patches = self.patches(features, prototypes)
        with true_fp32(features.device.type):
            return find(
                self.exact_pairwise_distance,
                patches,
                _map_size(features, prototypes),
                prototypes=prototypes,
                **given,
            )

    def _compare(self, features: Tensor, prototypes: Tensor) -> Comparison:
        with true_fp32(features.device.type):
            patches = self.patches(features, prototypes)
            vectors = prototypes.flatten(1).float()
            distance, nearest = self._nearest(patches, vectors)
            pairwise = self.pairwise_distance(patches, vectors)
        return Comparison(patches, pairwise, nearest, distance)

    def _nearest(self, patches: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        return nearest_distance(self.distance, self.pairwise_distance, patches, vectors)


def _map_size(features: Tensor, prototypes: Tensor) -> tuple[int, int]:
    """Rows and columns (H', W') of the patches of a feature map."""
    height, width = features.shape[-2:]
    h, w = prototypes.shape[-2:]
    return height - h + 1, width - w + 1
