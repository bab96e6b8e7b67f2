"""The training patches that prototypes were pushed onto, as the head has noted them."""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from mmproto.analysis.dataset_scores import DatasetScores
from mmproto.analysis.image_patch import ImagePatch
from mmproto.models import ProtoPNetHead


def prototypes_by_image(head: ProtoPNetHead, images: int) -> dict[int, list[int]]:
    """Return the prototypes that were pushed onto a patch of an image, by the index of the image.

    Args:
        head: The :class:`ProtoPNetHead`.
        images: Number of images of the push set.

    Returns:
        The prototypes; empty if one of them was pushed onto an image beyond these.
    """
    found = defaultdict(list)
    for prototype, image in enumerate(head.prototype_image.tolist()):
        if image >= 0:
            found[image].append(prototype)
    return {} if max(found, default=0) >= images else dict(found)


def own_patches(head: ProtoPNetHead, train: DatasetScores) -> dict[int, ImagePatch]:
    """Return the training patch of every pushed prototype, by the prototypes' indices.

    Args:
        head: The :class:`ProtoPNetHead`.
        train: The scores of the push set, with the patches of :func:`prototypes_by_image`.

    Returns:
        The patches; empty if the images are not those of the push: if most prototypes are not
        nearest to the patch that the push has noted for them.
    """
    own = patches_on_origin(head, train)
    noted = head.prototype_location.tolist()
    in_place = [list(patch.location) == noted[j] for j, patch in own.items()]
    return own if own and np.mean(in_place) > 0.5 else {}


def patches_on_origin(head: ProtoPNetHead, train: DatasetScores) -> dict[int, ImagePatch]:
    """Return where every pushed prototype is found on the training image that it comes from."""
    by_image = prototypes_by_image(head, len(train.labels))
    return {j: train.patches[image, j] for image, some in by_image.items() for j in some}


def duplicates(head: ProtoPNetHead) -> list[list[int]]:
    """For every prototype the others of its class that are the same patch of the same image.

    One that has never been pushed is no patch and has none.
    """
    places = map(tuple, head.prototype_patches.tolist())
    return _sharing(head, list(places))


def prototypes_of_same_image(head: ProtoPNetHead) -> list[list[int]]:
    """For every prototype the others of its class that are patches of the same image."""
    return _sharing(head, head.prototype_image.tolist())


def _sharing(head: ProtoPNetHead, origins: Sequence[Hashable]) -> list[list[int]]:
    """For every pushed prototype the others of its class that have the same origin."""
    members = defaultdict(list)
    keys = list(zip(head.prototype_class.tolist(), origins))
    for prototype, key in enumerate(keys):
        members[key].append(prototype)
    pushed = (head.prototype_image >= 0).tolist()
    return [
        [other for other in members[key] if other != prototype and pushed[prototype]]
        for prototype, key in enumerate(keys)
    ]
