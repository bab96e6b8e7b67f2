"""A white image to put images and words on."""

import math
from functools import cache, lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmproto.visualization.drawing import thumbnail

NORMAL, SMALL = 14, 12
GREEN, RED, GREY = '#12733a', '#b3261e', '#5f6368'


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@lru_cache(4096)  # most words come again on the next sheet
def _written(text: str, size: int, bold: bool) -> Image.Image:
    """Return a line as a mask; its corner is where the line begins."""
    stroke = 0.4 * bold
    right, bottom = _font(size).getbbox(text, stroke_width=stroke)[2:]
    mask = Image.new('L', (max(1, math.ceil(right)), max(1, math.ceil(bottom))))
    ImageDraw.Draw(mask).text((0, 0), text, fill=255, font=_font(size), stroke_width=stroke)
    return mask


def shortened(text: str, width: int, size: int = NORMAL) -> str:
    """Return the text in one line, cut where it is wider than so many pixels."""
    font = ImageFont.load_default(size=size)
    text = ' '.join(text.split())
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f'{text}...') > width:
        text = text[:-1]
    return f'{text.rstrip()}...'


class Sheet:
    """A white image to put images and words on."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new('RGB', (width, height), 'white')
        self.draw = ImageDraw.Draw(self.image)

    def write(
        self,
        left: int,
        top: int,
        text: str,
        colour: str = 'black',
        bold: bool = False,
        small: bool = False,
    ) -> None:
        """Write a line."""
        mask = _written(text, SMALL if small else NORMAL, bold)
        self.image.paste(colour, (left, top), mask)

    def paste(self, image: np.ndarray | None, left: int, top: int, side: int) -> None:
        """Put a BGR image into a square, or a frame where there is none."""
        if image is None:
            self.draw.rectangle((left, top, left + side, top + side), outline=GREY)
            self.write(left + 6, top + side // 3, 'no image', GREY, small=True)
            return
        small = cv2.cvtColor(thumbnail(image, side), cv2.COLOR_BGR2RGB)
        self.image.paste(Image.fromarray(small), (left, top))
