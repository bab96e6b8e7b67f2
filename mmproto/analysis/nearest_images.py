"""The images nearest to each prototype, found in one pass over a data set."""

import torch
from torch import Tensor

NO_IMAGE = torch.iinfo(torch.int64).max


class NearestImages:
    """The k images that each of P prototypes scores highest on, of all that it has met so far.

    Of equal scores the lower index of an image comes first. That order is total: the result depends
    neither on the batches nor on the processes that the images were spread over.

    .. code:: python

        nearest = NearestImages(prototypes=2000, k=5)
        for images, scores in batches:
            nearest.update(scores, images)

    Args:
        prototypes: Number of prototypes P.
        k: How many images to keep of each.

    Attributes:
        scores: The highest scores (P, k), descending; -inf where fewer images were met.
        images: Indices of their images (P, k); ``NO_IMAGE`` where fewer images were met.
    """

    def __init__(self, prototypes: int, k: int) -> None:
        self.scores = torch.full((prototypes, k), float('-inf'))
        self.images = torch.full((prototypes, k), NO_IMAGE)

    def update(self, scores: Tensor, images: Tensor) -> None:
        """Take a batch into account.

        Args:
            scores: Score of every prototype on every image (N, P).
            images: Index of each image (N,); none that was met before.
        """
        self._keep_best(scores.t(), images.expand(scores.shape[1], -1))

    def merge(self, other: 'NearestImages') -> None:
        """Take into account what was found on other images, as by another process."""
        self._keep_best(other.scores, other.images)

    def prototypes_of(self, image: int) -> list[int]:
        """Return the prototypes that have an image among their nearest."""
        return (self.images == image).any(dim=1).nonzero().flatten().tolist()

    def pairs(self) -> list[tuple[int, int]]:
        """All that is kept, as pairs of an image and a prototype."""
        rows = enumerate(self.images.tolist())
        return [(image, j) for j, images in rows for image in images if image != NO_IMAGE]

    def images_of(self, prototype: int) -> list[int]:
        """Return indices of the images nearest to a prototype, the nearest first; k or fewer."""
        images = self.images[prototype]
        return images[images != NO_IMAGE].tolist()

    def _keep_best(self, scores: Tensor, images: Tensor) -> None:
        """Keep the k best of what is kept and what is new, both (P, any)."""
        k = self.scores.shape[1]
        scores = torch.cat([self.scores, scores.to(self.scores)], dim=1)
        images = torch.cat([self.images, images.to(self.images)], dim=1)
        by_image = images.argsort(dim=1)
        scores, images = scores.gather(1, by_image), images.gather(1, by_image)
        by_score = scores.argsort(dim=1, descending=True, stable=True)[:, :k]
        self.scores, self.images = scores.gather(1, by_score), images.gather(1, by_score)
