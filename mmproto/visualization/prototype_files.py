"""Writes what the prototypes are: images of each, and one file that says where they come from."""

import json
import os
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmengine.dist import get_dist_info

from mmproto.analysis.prototype_records import activation_maps, prototype_records
from mmproto.datasets.image_dataset import ImageDataset
from mmproto.engine.push_record import PushRecord, epoch_folders
from mmproto.explanation.high_activation import upsample
from mmproto.functional import Box, NearestPatch
from mmproto.models import ProtoPNet
from mmproto.utils.files import whole_file
from mmproto.visualization.drawing import save
from mmproto.visualization.prototype_images import draw_prototype, input_image

IMAGE = re.compile(r'\d{5,}_(image|crop|heat)\.jpg')


def write_prototypes(
    model: ProtoPNet, nearest: NearestPatch, dataset: ImageDataset, folder: Path | str
) -> None:
    """Write ``prototypes.json``, see :class:`PrototypeRecord`, and draw each prototype.

    ``00012_image.jpg`` is the training image with the prototype's box, ``00012_crop.jpg`` what is
    in the box, ``00012_heat.jpg`` the similarity of every place of the image to the prototype.
    Each process draws its share and waits for no other; an image is loaded once, for all of its
    prototypes.

    Args:
        model: The classifier, pushed.
        nearest: What the push found, see :func:`push_prototypes`.
        dataset: The push set.
        folder: Where to, made if it is not there.

    Raises:
        OSError: If something cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rank, world_size = get_dist_info()
    maps = activation_maps(model.head, nearest)
    records = prototype_records(model, maps, dataset)
    if rank == 0:
        text = json.dumps([vars(record) for record in records], indent=1)
        with whole_file(folder / 'prototypes.json') as file:
            file.write_text(text, encoding='utf-8')
    of_image = defaultdict(list)
    for record in records:
        of_image[record.image_index].append(record)

    def draw(index: int) -> None:
        image = input_image(dataset, index)
        for record in of_image[index]:
            activation = upsample(maps[record.prototype], image.shape[:2])
            drawn = draw_prototype(image, activation, Box(**record.box))
            stem = f'{folder}/{record.prototype:05d}'
            save(f'{stem}_image.jpg', drawn.image)
            save(f'{stem}_crop.jpg', drawn.crop)
            save(f'{stem}_heat.jpg', drawn.heat)

    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // world_size)) as pool:
        for _ in pool.map(draw, sorted(of_image)[rank::world_size]):
            pass


def remove_older_images(work_dir: Path | str, epoch: int, keep: int) -> None:
    """Remove the images of all but the last pushes of a training; what they did stays recorded.

    Only images are removed, and only from folders with a ``push.json``.

    Args:
        work_dir: The training's working directory.
        epoch: The epoch of the last push that counts; later folders are of another run.
        keep: How many pushes keep their images.
    """
    folders = [
        folder
        for number, folder in epoch_folders(work_dir).items()
        if number <= epoch and (folder / PushRecord.FILE).is_file()
    ]
    for folder in folders[:-keep]:
        for file in folder.iterdir():
            if IMAGE.fullmatch(file.name):
                file.unlink()
