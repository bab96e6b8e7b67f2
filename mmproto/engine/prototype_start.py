"""Where prototypes begin: at patches of their own class, not at random numbers."""

import torch
from mmengine.dist import broadcast
from torch.utils.data import DataLoader

from mmproto.engine.patch_sample import sample_patches
from mmproto.errors import InputError
from mmproto.functional import NearestPatch, class_discriminant, typical_points
from mmproto.functional.mean_of_nearest import own_prototypes
from mmproto.models import ProtoPNet, ProtoPNetAddOn

# The part of a class's patches that prototypes may begin at: those that tell the class best.
TELLING = 0.5


@torch.no_grad()
def begin_at_patches(
    model: ProtoPNet, dataloader: DataLoader, per_class: int = 2000, seed: int = 0
) -> None:
    """Let every prototype begin at a patch that stands for many of its class.

    Patches are drawn from all images of a class, a linear neck is fitted to them
    (:meth:`ProtoPNetAddOn.fit_patches`), and the half of them that tells the class best is kept:
    sky, bark and paper are in every class. k-means finds in the latent space what those have in
    common: each prototype is the patch nearest to a centre, of another image where there are
    enough. One pass over the data, the same result on any number of processes.

    Args:
        model: The classifier; it is in eval mode afterwards.
        dataloader: The training images without augmentation, in order.
        per_class: About how many patches of each class are held in memory.
        seed: Another seed, other prototypes.

    Raises:
        InputError: If a class has fewer patches than prototypes.
    """
    model.eval()
    head = model.head
    fits = isinstance(model.neck, ProtoPNetAddOn)
    sample = sample_patches(model, dataloader, 'backbone' if fits else 'neck', per_class)
    maps = sample.patches.to(head.prototype_vectors.device)
    if fits:
        model.neck.fit_patches(maps)
        maps = model.neck.map_patches(maps)
    vectors = torch.cat([head.patches([some])[:, 0] for some in maps.split(4096)]).cpu()
    tells = class_discriminant(vectors.flatten(1), sample.classes)
    chosen = torch.empty(len(head.prototype_class), dtype=torch.long)
    for label in head.prototype_class.unique().tolist():
        rows = (head.prototype_class == label).cpu()
        candidates = (
            own_prototypes(sample.classes, torch.tensor([label]))[:, 0].nonzero().squeeze(1)
        )
        count = int(rows.sum())
        if len(candidates) < count:
            raise InputError(
                f'class {label} has {len(candidates)} patches to begin {count} prototypes at: '
                'lower model.head.prototypes_per_class, or raise per_class of PrototypeStartHook'
            )
        kept = max(count, int(TELLING * len(candidates)))
        best = tells[candidates, label].topk(kept).indices.sort().values
        candidates = candidates[best]
        chosen[rows] = candidates[
            typical_points(vectors[candidates], sample.images[candidates], count, seed)
        ]
    like = head.prototype_vectors
    distance = torch.zeros(len(chosen))
    head.push(
        NearestPatch(
            distance=distance,
            image=sample.images[chosen],
            location=sample.locations[chosen],
            vector=vectors[chosen].view_as(like),
            distance_map=distance[:, None, None],
        )
    )
    for value in model.state_dict().values():  # another machine may have rounded otherwise
        broadcast(value)
