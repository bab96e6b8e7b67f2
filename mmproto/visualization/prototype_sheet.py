"""Lays the prototypes of a push out on one image: a row a class, a column a prototype."""

from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmproto.datasets.image_limits import check_image_size
from mmproto.errors import InputError
from mmproto.visualization.saved_prototypes import saved_image, saved_prototypes

SIDE = 112
GAP = 6
LABEL = 18


def prototype_sheet(folder: Path, classes: int | None = None) -> Image.Image:
    """Draw each prototype's training image with its box, and its crop, enlarged, beside it.

    Args:
        folder: What :func:`write_prototypes` has written.
        classes: How many classes to show; all if None.

    Raises:
        InputError: If the folder has no ``prototypes.json``, or an odd one, or not all images, or
            if the sheet would be too large.
    """
    records = saved_prototypes(folder)
    rows = [list(group) for _, group in groupby(records, lambda record: record.class_index)]
    rows = rows[:classes]
    width = max(map(len, rows), default=0) * (2 * SIDE + 2 * GAP) + GAP
    height = len(rows) * (SIDE + LABEL + GAP) + GAP
    check_image_size(f'the sheet of {folder}, of {len(rows)} classes,', width, height)
    sheet = Image.new('RGB', (width, height), 'white')
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=13)
    for row, of_class in enumerate(rows):
        top = GAP + row * (SIDE + LABEL + GAP)
        name = of_class[0].class_name or f'class {of_class[0].class_index}'
        draw.text((GAP, top), name.replace('_', ' '), fill='black', font=font)
        for column, record in enumerate(of_class):
            left = GAP + column * (2 * SIDE + 2 * GAP)
            for part, place in (('image', left), ('crop', left + SIDE + 2)):
                read = saved_image(folder, record.prototype, part)
                if read is None:
                    raise InputError(
                        f'{folder} has not all images of prototype {record.prototype}: push again '
                        'by tools/push.py'
                    )
                image = Image.fromarray(np.ascontiguousarray(read[..., ::-1]))
                small = image.resize(_inside(image.size), Image.Resampling.BICUBIC)
                sheet.paste(small, (place, top + LABEL))
    return sheet


def _inside(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size scaled to fit a square of the side."""
    scale = SIDE / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
