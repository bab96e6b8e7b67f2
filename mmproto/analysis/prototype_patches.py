"""The training patches that prototypes were pushed onto, as the head has noted them."""

from collections import defaultdict

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
    by_image = prototypes_by_image(head, len(train.labels))
    own = {j: train.patches[image, j] for image, some in by_image.items() for j in some}
    noted = head.prototype_location.tolist()
    in_place = [list(patch.location) == noted[j] for j, patch in own.items()]
    return own if own and np.mean(in_place) > 0.5 else {}


def duplicates(head: ProtoPNetHead) -> list[list[int]]:
    """For every prototype the others of its class that are the same patch of the same image.

    One that has never been pushed is no patch and has none.
    """
    patches = [
        (label, image, *location)
        for label, image, location in zip(
            head.prototype_class.tolist(),
            head.prototype_image.tolist(),
            head.prototype_location.tolist(),
        )
    ]
    members = defaultdict(list)
    for prototype, patch in enumerate(patches):
        members[patch].append(prototype)
    return [
        [other for other in members[patch] if other != prototype and patch[1] >= 0]
        for prototype, patch in enumerate(patches)
    ]


def prototypes_of_same_image(head: ProtoPNetHead) -> list[list[int]]:
    """For every prototype the others of its class that are patches of the same image."""
    members = defaultdict(list)
    origins = list(zip(head.prototype_class.tolist(), head.prototype_image.tolist()))
    for prototype, origin in enumerate(origins):
        members[origin].append(prototype)
    return [
        [other for other in members[origin] if other != prototype and origin[1] >= 0]
        for prototype, origin in enumerate(origins)
    ]
