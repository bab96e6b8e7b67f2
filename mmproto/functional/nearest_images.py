"""The k nearest patches of every prototype, one an image (sections 2.4 and S8)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from mmproto.functional.nearest_patch import NO_IMAGE


@dataclass
class NearestImages:
    """The k images with the patches nearest to each of P prototypes, of all met so far.

    .. code:: python

        nearest = NearestImages.empty(prototypes=2000, k=6)
        for distance, image, location in batches:
            nearest = nearest.merge(NearestImages.of_batch(distance, image, location, k=6))

    Attributes:
        distance: Distance of an image's nearest patch (P, k), the nearest image first; infinite
            where fewer images were met.
        image: Index of the image (P, k); ``NO_IMAGE`` where fewer were met.
        location: Row and column of the patch in its feature map (P, k, 2).
    """

    distance: Tensor
    image: Tensor
    location: Tensor

    @classmethod
    def empty(cls, prototypes: int, k: int, device: torch.device | None = None) -> 'NearestImages':
        """Begin with none.

        Args:
            prototypes: Number of prototypes P.
            k: How many images to keep of each.
            device: Where.
        """
        return cls(
            distance=torch.full((prototypes, k), float('inf'), device=device),
            image=torch.full((prototypes, k), NO_IMAGE, device=device),
            location=torch.zeros(prototypes, k, 2, dtype=torch.long, device=device),
        )

    @classmethod
    def of_batch(cls, distance: Tensor, image: Tensor, location: Tensor, k: int) -> 'NearestImages':
        """Choose of some images.

        Args:
            distance: Distance of each image's nearest patch to each prototype (N, P).
            image: Index of each image (N,).
            location: Row and column of these patches (N, P, 2).
            k: How many images to keep of each prototype.
        """
        count = distance.shape[1]
        met = cls(distance.t(), image.expand(count, -1), location.transpose(0, 1))
        return cls.empty(count, k, distance.device).merge(met)

    def merge(self, other: 'NearestImages') -> 'NearestImages':
        """Take the nearest of both; of equally near images the one with the lower index.

        An image that both have met, as samplers give some to several processes, counts once; one
        whose distance is not finite does not count. The order is total, so the result does not
        depend on who is merged with whom first.
        """
        image = torch.cat([self.image, other.image], dim=1)
        distance = torch.cat([self.distance, other.distance], dim=1)
        location = torch.cat([self.location, other.location], dim=1)
        by_image = image.argsort(dim=1)
        image, distance = image.gather(1, by_image), distance.gather(1, by_image)
        again = torch.zeros_like(image, dtype=torch.bool)
        again[:, 1:] = image[:, 1:] == image[:, :-1]
        void = again | ~distance.isfinite()
        distance = distance.masked_fill(void, float('inf'))
        nearest = distance.argsort(dim=1, stable=True)[:, : self.image.shape[1]]
        places = by_image.gather(1, nearest)[..., None].expand(-1, -1, 2)
        void = void.gather(1, nearest)
        return NearestImages(
            distance=distance.gather(1, nearest),
            image=image.gather(1, nearest).masked_fill(void, NO_IMAGE),
            location=location.gather(1, places).masked_fill(void[..., None], 0),
        )

    @staticmethod
    def merge_all(parts: Iterable['NearestImages']) -> 'NearestImages':
        """Merge what several batches, or several processes, have found."""
        return reduce(NearestImages.merge, parts)

    def classes(self, labels: Tensor) -> Tensor:
        """Classes of the images (P, k), -1 where fewer were met.

        Args:
            labels: Class of each image of the data set.
        """
        met = self.image != NO_IMAGE
        return torch.where(met, labels[self.image.where(met, 0)], -1)

    def prototypes_of(self, image: int) -> list[int]:
        """Return the prototypes that have an image among their nearest."""
        return (self.image == image).any(dim=1).nonzero().flatten().tolist()

    def pairs(self) -> list[tuple[int, int]]:
        """All that is kept, as pairs of an image and a prototype."""
        return [(image, j) for j in range(len(self.image)) for image in self.images_of(j)]

    def images_of(self, prototype: int) -> list[int]:
        """Return indices of the images nearest to a prototype, the nearest first; k or fewer."""
        image = self.image[prototype]
        return image[image != NO_IMAGE].tolist()


def nearest_images(
    distance_of: Callable[[Tensor, Tensor], Tensor],
    patches: Tensor,
    map_size: tuple[int, int],
    images: Tensor,
    prototypes: Tensor,
    k: int,
) -> NearestImages:
    """Find the k images of a batch with the patches nearest to each prototype, of any class.

    Each image is compared by itself: the same to the bit however the images are spread over
    batches.

    Args:
        distance_of: Gives the distances (L, P) of patches (L, K) to prototypes (P, K).
        patches: Patches (N, L, K), row-major.
        map_size: Rows and columns (H', W') that the L patches form.
        images: Index of each image in the data set (N,).
        prototypes: Prototypes (P, D, h, w).
        k: How many images to find of each prototype.
    """
    vectors = prototypes.flatten(1).to(patches)
    distance, places = [], []
    for of_image in patches:
        distances = distance_of(of_image, vectors)
        # argmin promises the first of equals
        places.append(distances.argmin(dim=0))
        distance.append(distances.gather(0, places[-1][None])[0])
    place = torch.stack(places)
    location = torch.stack([place // map_size[1], place % map_size[1]], dim=-1)
    return NearestImages.of_batch(torch.stack(distance), images, location, k)
