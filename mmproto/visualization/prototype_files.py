"""Writes what the prototypes are: pictures of each, and one file that says where they come from."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.dist import all_gather_object, get_dist_info
from torch import nn
from torch.utils.data import Dataset

from mmproto.datasets.checks import class_name
from mmproto.explanation.high_activation import high_activation_box, upsample
from mmproto.functional import NearestPatch, ReceptiveField
from mmproto.models.backbones.receptive_field import backbone_receptive_field
from mmproto.utils.files import whole_file
from mmproto.visualization.drawing import draw_box, heat_map, save

ENDS = ('top', 'bottom', 'left', 'right')


@dataclass(frozen=True)
class PrototypeRecord:
    """An entry of ``prototypes.json``.

    Attributes:
        prototype: Number of the prototype.
        class_index: Its class, -1 for none.
        class_name: The name of its class, if the data set knows it.
        image: Path of the training image that it is a patch of, if it has one.
        image_index: Number of that image in the push set.
        image_size: Height and width of the image as the network saw it, in pixels.
        box: Top, bottom, left and right of the patch in that image, ends exclusive, by name.
        receptive_field: The same of all the pixels that the patch is computed from, if the
            backbone is of a family that :func:`backbone_receptive_field` knows.
        location: Row and column of the patch in the feature map.
        distance: Squared distance of the prototype to the patch before it was pushed onto it.
    """

    prototype: int
    class_index: int
    class_name: str | None
    image: str | None
    image_index: int
    image_size: tuple[int, int]
    box: dict[str, int]
    receptive_field: dict[str, int] | None
    location: tuple[int, int]
    distance: float


def write_prototypes(
    model: nn.Module, nearest: NearestPatch, dataset: Dataset, out_dir: Path
) -> None:
    """Write three pictures of each prototype, and ``prototypes.json``.

    ``00012_image.jpg`` is the training image with the prototype's box, ``00012_crop.jpg`` what is
    in the box, ``00012_heat.jpg`` the similarity of every place of the image to the prototype.
    Each process writes its share of the pictures.

    Args:
        model: The classifier, pushed.
        nearest: What the push found.
        dataset: The push set.
        out_dir: The folder, made if it is not there.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    rank, world_size = get_dist_info()
    image_of = nearest.image.cpu()
    maps = model.head.score_maps(nearest.distance_map[None])[0].detach().cpu().numpy()
    field = backbone_receptive_field(model.backbone)

    def picture(index: int) -> list[PrototypeRecord]:
        image = dataset[index]['inputs'].permute(1, 2, 0).numpy()
        if image.shape[2] == 1:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        of_image = (image_of == index).nonzero().flatten().tolist()
        return [_picture(j, image, maps[j], model.head, field, dataset, out_dir) for j in of_image]

    # An image is loaded once, for all of its prototypes.
    images = image_of.unique().tolist()[rank::world_size]
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        records = [record for found in pool.map(picture, images) for record in found]
    records = [record for share in all_gather_object(records) for record in share]
    if rank == 0:
        records.sort(key=lambda record: record.prototype)
        text = json.dumps([asdict(record) for record in records], indent=1)
        with whole_file(out_dir / 'prototypes.json') as file:
            file.write_text(text, encoding='utf-8')


def _picture(
    prototype: int,
    image: np.ndarray,
    similarity_map: np.ndarray,
    head: nn.Module,
    field: ReceptiveField | None,
    dataset: Dataset,
    out_dir: Path,
) -> PrototypeRecord:
    """Write the pictures of one prototype, and say where it comes from."""
    activation = upsample(similarity_map, image.shape[:2])
    box = high_activation_box(activation)
    top, bottom, left, right = box
    stem = f'{out_dir}/{prototype:05d}'
    save(f'{stem}_image.jpg', draw_box(image, box))
    save(f'{stem}_crop.jpg', image[top:bottom, left:right])
    save(f'{stem}_heat.jpg', heat_map(image, activation))
    label, index = int(head.prototype_class[prototype]), int(head.prototype_image[prototype])
    location = tuple(head.prototype_location[prototype].tolist())
    patch_size = tuple(head.prototype_vectors.shape[2:])
    return PrototypeRecord(
        prototype=prototype,
        class_index=label,
        class_name=class_name(dataset, label),
        image=dataset.get_data_info(index).get('img_path'),
        image_index=index,
        image_size=image.shape[:2],
        box=dict(zip(ENDS, box)),
        receptive_field=field and dict(zip(ENDS, field.box(location, image.shape[:2], patch_size))),
        location=location,
        distance=float(head.prototype_distance[prototype]),
    )
