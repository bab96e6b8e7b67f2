"""Draws an explanation as one picture: this looks like that, and the points that follow."""

import math
from collections.abc import Callable
from functools import cache, lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmproto.explanation.explanation import ClassEvidence, Match
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.visualization.drawing import draw_box, scaled_box, thumbnail

SIDE = 84
GAP = 8
TEXT = 132
COLUMN = 4 * (SIDE + GAP) + TEXT
HEADER = 168
LINE = 20
NORMAL, SMALL = 14, 12
GREEN, RED, GREY = '#12733a', '#b3261e', '#5f6368'
ThumbnailsOf = Callable[[int], dict[str, np.ndarray] | None]


def explanation_sheet(
    one: ImageExplanation, thumbnails: ThumbnailsOf, warning: str | None
) -> Image.Image:
    """Draw the evidence for the explained class beside that for its rival.

    Args:
        one: The explained picture.
        thumbnails: Gives the pictures of a prototype, 'image' and 'crop', if there are any.
        warning: What has to be said of the model, if anything.
    """
    explanation = one.explanation
    sides = (explanation.explained, explanation.rival)
    rows = max(len(evidence.matches) for evidence in sides)
    height = HEADER + 2 * LINE + rows * (SIDE + GAP) + 2 * LINE + GAP
    height += LINE + SIDE + 2 * LINE + 2 * GAP  # the most similar
    sheet = Sheet(2 * COLUMN + 3 * GAP, height)
    _header(sheet, one, warning)
    for number, evidence in enumerate(sides):
        _column(sheet, one, evidence, thumbnails, GAP + number * (COLUMN + GAP), number > 0)
    top = HEADER + 4 * LINE + rows * (SIDE + GAP) + GAP
    sheet.write(GAP, top, 'The most similar prototypes of all classes', bold=True)
    step = (sheet.image.width - GAP) // max(len(explanation.most_similar), 1)
    for number, match in enumerate(explanation.most_similar):
        left = GAP + number * step
        pictures = thumbnails(match.prototype)
        half = min(SIDE, step - GAP)
        sheet.paste(pictures and pictures['crop'], left, top + LINE, half)
        name = shortened(one.class_name(match.label), step - GAP, SMALL)
        sheet.write(left, top + LINE + half + 2, name, GREY, small=True)
        sheet.write(left, top + 2 * LINE + half - 4, f'{match.similarity:.2f}', small=True)
    return sheet.image


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


@lru_cache(4096)  # most words come again on the next sheet
def _written(text: str, size: int, bold: bool) -> Image.Image:
    """A line as a mask; its corner is where the line begins."""
    stroke = 0.4 * bold
    right, bottom = _font(size).getbbox(text, stroke_width=stroke)[2:]
    mask = Image.new('L', (max(1, math.ceil(right)), max(1, math.ceil(bottom))))
    ImageDraw.Draw(mask).text((0, 0), text, fill=255, font=_font(size), stroke_width=stroke)
    return mask


def shortened(text: str, width: int, size: int = 14) -> str:
    """The text in one line, cut where it is wider than so many pixels."""
    font = ImageFont.load_default(size=size)
    text = ' '.join(text.split())
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f'{text}...') > width:
        text = text[:-1]
    return f'{text.rstrip()}...'


class Sheet:
    """A white picture to put pictures and words on."""

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

    def paste(self, picture: np.ndarray | None, left: int, top: int, side: int = SIDE) -> None:
        """Put a BGR picture into a square, or a frame where there is none."""
        if picture is None:
            self.draw.rectangle((left, top, left + side, top + side), outline=GREY)
            self.write(left + 6, top + side // 3, 'no picture', GREY, small=True)
            return
        small = cv2.cvtColor(thumbnail(picture, side), cv2.COLOR_BGR2RGB)
        self.image.paste(Image.fromarray(small), (left, top))


def _header(sheet: Sheet, one: ImageExplanation, warning: str | None) -> None:
    explanation = one.explanation
    picture = thumbnail(one.picture, HEADER - 2 * GAP)
    sheet.paste(picture, GAP, GAP, HEADER - 2 * GAP)
    left, top = picture.shape[1] + 3 * GAP, GAP
    label = explanation.predicted
    probability = float(explanation.probabilities[label])
    lines = [(one.name, GREY), (f'{one.class_name(label)}  {probability:.1%}', 'black')]
    if one.truth is not None:
        right = one.truth == label
        word = 'which is right' if right else f'but it is {one.class_name(one.truth)}'
        lines.append((word, GREEN if right else RED))
    for part in (warning or '').split(': ' if warning else None):
        lines.append((part, RED))
    for text, colour in lines:
        room = sheet.image.width - left - GAP
        sheet.write(left, top, shortened(text, room), colour, bold=colour == 'black')
        top += LINE + 2


def _column(
    sheet: Sheet,
    one: ImageExplanation,
    evidence: ClassEvidence,
    thumbnails: ThumbnailsOf,
    left: int,
    is_rival: bool,
) -> None:
    question = one.rival_question if is_rival else 'Why'
    words = shortened(f'{question} {one.class_name(evidence.label)}', COLUMN - 2 * GAP)
    sheet.write(left, HEADER, f'{words}?', bold=True)
    captions = ('this', 'here', 'looks like that', 'of this training image')
    for number, caption in enumerate(captions):
        sheet.write(left + number * (SIDE + GAP), HEADER + LINE, caption, GREY, small=True)
    top = HEADER + 2 * LINE
    for match in evidence.matches:
        _row(sheet, one, match, thumbnails(match.prototype), left, top)
        top += SIDE + GAP
    sheet.write(left, top, f'all other prototypes  {evidence.rest:+.2f}', GREY)
    words = f'logit  {evidence.logit:.2f}   ({evidence.probability:.1%})'
    sheet.write(left, top + LINE, words, bold=True)


def _row(
    sheet: Sheet,
    one: ImageExplanation,
    match: Match,
    pictures: dict[str, np.ndarray] | None,
    left: int,
    top: int,
) -> None:
    box = one.box_on_display(match)
    small = thumbnail(one.picture, SIDE)
    around = scaled_box(box, one.picture.shape[:2], small.shape[:2])
    sheet.paste(draw_box(small, around), left, top)
    crop = one.picture[box[0] : box[1], box[2] : box[3]]
    sheet.paste(crop, left + SIDE + GAP, top)
    sheet.paste(pictures and pictures['crop'], left + 2 * (SIDE + GAP), top)
    sheet.paste(pictures and pictures['image'], left + 3 * (SIDE + GAP), top)
    text = left + 4 * (SIDE + GAP)
    sheet.write(text, top + 8, f'{match.similarity:.2f} similarity', GREY)
    sheet.write(text, top + 8 + LINE, f'x {match.weight:.2f} weight', GREY)
    sheet.write(text, top + 10 + 2 * LINE, f'= {match.points:+.2f} points')
