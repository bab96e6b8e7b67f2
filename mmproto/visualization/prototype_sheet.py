"""Lays the prototypes of a push out on one image: a row a class, a column a prototype."""

import json
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from mmproto.errors import InputError

SIDE = 112
GAP = 6
LABEL = 18


def prototype_sheet(folder: Path, classes: int | None = None) -> Image.Image:
    """Draw each prototype's training image with its box, and its crop, enlarged, beside it.

    Args:
        folder: What :func:`write_prototypes` has written.
        classes: How many classes to show; all if None.

    Raises:
        InputError: If the folder has no ``prototypes.json``.
    """
    file = folder / 'prototypes.json'
    if not file.is_file():
        raise InputError(f'{file} is not there: give a folder that a push has written')
    records = json.loads(file.read_text(encoding='utf-8'))
    rows = [list(group) for _, group in groupby(records, lambda record: record['class_index'])]
    rows = rows[:classes]
    width = max(map(len, rows)) * (2 * SIDE + 2 * GAP) + GAP
    sheet = Image.new('RGB', (width, len(rows) * (SIDE + LABEL + GAP) + GAP), 'white')
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=13)
    for row, of_class in enumerate(rows):
        top = GAP + row * (SIDE + LABEL + GAP)
        name = of_class[0]['class_name'] or f'class {of_class[0]["class_index"]}'
        draw.text((GAP, top), name.replace('_', ' '), fill='black', font=font)
        for column, record in enumerate(of_class):
            left = GAP + column * (2 * SIDE + 2 * GAP)
            stem = f'{folder}/{record["prototype"]:05d}'
            for part, place in (('image', left), ('crop', left + SIDE + 2)):
                image = Image.open(f'{stem}_{part}.jpg')
                small = image.resize(_inside(image.size), Image.Resampling.BICUBIC)
                sheet.paste(small, (place, top + LABEL))
    return sheet


def _inside(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size scaled to fit a square of the side."""
    scale = SIDE / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
