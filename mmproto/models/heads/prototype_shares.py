"""Prototypes shared out among the processes of a training, see ``docs/many_classes.md``."""

from typing import Any

import torch
from mmengine.dist import broadcast, get_rank, get_world_size
from torch import Tensor, distributed

from mmproto.models.similarities import Similarity


class PrototypeShares:
    """Which prototypes each process holds, and what all of them find together.

    Each process compares the images of all processes with its own prototypes, and gets back how
    far its own images are from those of all. What follows from these distances is computed as if
    it had all prototypes, and so are the gradients. The processes have to have equally many images.

    Args:
        count: Number of prototypes P of all processes.

    Attributes:
        sizes: How many of them each process holds, one after another.
    """

    def __init__(self, count: int) -> None:
        processes = get_world_size()
        ends = [count * (rank + 1) // processes for rank in range(processes)]
        self.sizes = [end - first for first, end in zip([0, *ends], ends)]

    @torch.no_grad()
    def own(self, whole: Tensor) -> Tensor:
        """Take this process's share (p, ...) of what all prototypes have (P, ...)."""
        return whole.split(self.sizes)[get_rank()].clone()

    @torch.no_grad()
    def together(self, own: Tensor) -> Tensor:
        """Put the shares (p, ...) of all processes together (P, ...), on each of them."""
        whole = own.new_empty(sum(self.sizes), *own.shape[1:])
        for rank, share in enumerate(whole.split(self.sizes)):
            if rank == get_rank():
                share.copy_(own)
            broadcast(share, src=rank)
        return whole

    def nearest(
        self, similarity: Similarity, features: Tensor, prototypes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Find what :meth:`Similarity.nearest` does, of the prototypes of all processes.

        As DDP averages the gradients of all other parameters over the processes, so are those of
        the prototypes.

        Args:
            similarity: The similarity.
            features: Feature maps of this process's images (N, D, H, W).
            prototypes: This process's share (p, D, h, w).

        Returns:
            Distances (N, P), and row and column (N, P, 2).
        """
        images, processes = len(features), len(self.sizes)
        if prototypes.requires_grad:
            prototypes = prototypes.view_as(prototypes)
            prototypes.register_hook(lambda gradient: gradient / processes)
        equal = [features.numel()] * processes
        everyones = _Exchange.apply(features.flatten().repeat(processes), equal, equal)
        distances, locations = similarity.nearest(
            everyones.view(-1, *features.shape[1:]), prototypes
        )
        columns = features.shape[-1] - prototypes.shape[-1] + 1
        numbers = locations[..., 0] * columns + locations[..., 1]
        # 32 bits of a number: it is sent for every pair
        numbers = self._of_own_images(numbers.int(), images).long()
        locations = torch.stack([numbers // columns, numbers % columns], dim=-1)
        return self._of_own_images(distances, images), locations

    def _of_own_images(self, of_all: Tensor, images: int) -> Tensor:
        """Give each process the rows of its images: of all images (N', p) to all prototypes (N, P).

        What is sent is flat, and so contiguous, as are the gradients that come back.
        """
        sent = [images * of_all.shape[1]] * len(self.sizes)
        given = [images * size for size in self.sizes]
        columns = _Exchange.apply(of_all.flatten(), sent, given).split(given)
        return torch.cat([column.view(images, -1) for column in columns], dim=1)


class _Exchange(torch.autograd.Function):
    """Sends each process its part of a vector; torch.distributed's, with its gradient.

    torch's own ``torch.distributed.nn.functional.all_to_all_single`` is deprecated for one that
    torch 2.6 does not have in the same form.
    """

    @staticmethod
    def forward(ctx: Any, vector: Tensor, sent: list[int], given: list[int]) -> Tensor:
        ctx.sent, ctx.given = sent, given
        return _exchange(vector, sent, given)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _exchange(gradient.contiguous(), ctx.given, ctx.sent), None, None


def _exchange(vector: Tensor, sent: list[int], given: list[int]) -> Tensor:
    result = vector.new_empty(sum(given))
    distributed.all_to_all_single(result, vector, given, sent)
    return result
