"""What each prototype of a push is, as an entry of ``prototypes.json``."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from mmproto.datasets.checks import class_name
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.explanation.high_activation import cell_centre, find_box, upsample
from mmproto.functional import Box, NearestPatch
from mmproto.models import ProtoPNet, ProtoPNetHead
from mmproto.models.backbones.receptive_field import backbone_receptive_field


@dataclass(frozen=True)
class PrototypeRecord:
    """An entry of ``prototypes.json``.

    Attributes:
        prototype: Number of the prototype.
        name: What a person calls it, None if nobody has named it.
        class_index: Its class, -1 for none.
        class_name: The name of its class, if the data set knows it.
        image: Path of the training image that it is a patch of, if it has one.
        image_index: Number of that image in the push set.
        image_size: Height and width of the image as the network saw it, in pixels.
        box: Top, bottom, left and right of the patch in that image, ends exclusive, by name.
        receptive_field: The same of all the pixels that the patch is computed from, if the
            backbone is of a family that :func:`backbone_receptive_field` knows.
        location: Row and column of the patch in the feature map.
        distance: Distance of the prototype to the patch before it was pushed onto it.
    """

    prototype: int
    name: str | None
    class_index: int
    class_name: str | None
    image: str | None
    image_index: int
    image_size: tuple[int, int]
    box: dict[str, int]
    receptive_field: dict[str, int] | None
    location: tuple[int, int]
    distance: float


def activation_maps(head: ProtoPNetHead, nearest: NearestPatch) -> np.ndarray:
    """Similarity (P, H', W') of each prototype, before it was pushed, to its training image."""
    return head.score_maps(nearest.distance_map[None])[0].detach().cpu().numpy()


def prototype_records(
    model: ProtoPNet, maps: np.ndarray, dataset: ImageDataset
) -> list[PrototypeRecord]:
    """Say where each prototype comes from; no image but one is loaded.

    Args:
        model: The classifier, pushed.
        maps: The :func:`activation_maps` of what the push found.
        dataset: The push set, whose images are all of one size.
    """
    head = model.head
    field = backbone_receptive_field(model.backbone)
    _, _, h, w = head.prototype_vectors.shape
    labels, images = head.prototype_class.tolist(), head.prototype_image.tolist()
    names = head.prototype_names
    size = tuple(dataset[images[0]]['inputs'].shape[-2:])
    paths = {index: dataset.get_data_info(index).get('img_path') for index in set(images)}

    def box_of(activation_map: np.ndarray, location: list[int]) -> Box:
        point = cell_centre(location, activation_map.shape, size)
        return find_box(head, upsample(activation_map, size), point)

    locations = head.prototype_location.tolist()
    with ThreadPoolExecutor() as pool:
        boxes = pool.map(box_of, maps, locations)
    places = zip(locations, head.prototype_distance.tolist(), boxes)
    return [
        PrototypeRecord(
            prototype=number,
            name=names[number] or None,
            class_index=label,
            class_name=class_name(dataset, label),
            image=paths[index],
            image_index=index,
            image_size=size,
            box=box._asdict(),
            receptive_field=field.box(location, size, (h, w))._asdict() if field else None,
            location=tuple(location),
            distance=distance,
        )
        for number, (label, index, (location, distance, box)) in enumerate(
            zip(labels, images, places)
        )
    ]
