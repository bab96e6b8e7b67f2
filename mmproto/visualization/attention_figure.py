"""Draws the paper's Figure 4: object attention, part attention, and what the parts look like."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
from PIL import Image

from mmproto.datasets.geometry import Geometry
from mmproto.explanation.class_activation import ClassActivation
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.explanation.prototype_match import PrototypeMatch
from mmproto.visualization.drawing import heat_map_of_input, thumbnail
from mmproto.visualization.explanation_sheet import ThumbnailsOf
from mmproto.visualization.sheet import GREEN, GREY, RED, Sheet, shortened

SIDE = 240
PART = 76
GAP = 6
MARGIN = 14
HEADER = 56
LINE = 18
CAPTION = 2 * LINE + 20
WIDTH = 900
LEFT = (MARGIN, MARGIN + SIDE + 2 * GAP, MARGIN + 2 * (SIDE + 2 * GAP) + GAP)
# Where each part, its prototype, the prototype's image and the points go.
PARTS = (LEFT[2], LEFT[2] + PART + 66, LEFT[2] + 2 * PART + 66 + GAP)
POINTS = PARTS[2] + PART + GAP
# Of the parts, the one with most points first; apart for colour-blind eyes too.
COLOURS = ('#ffd400', '#00b7ff', '#ff3d9a')
HEADINGS = (
    ('(a) object attention', 'class activation map of the baseline'),
    ('(b) part attention', 'where the ProtoPNet looks'),
    ('(c) part attention + comparison', 'with learned prototypical parts'),
)


@dataclass(frozen=True)
class Comparison:
    """What a ProtoPNet and its baseline say of one image.

    Attributes:
        explanation: What the ProtoPNet says.
        image: The image (height, width, 3), uint8, BGR, as the baseline reads it.
        geometry: Where in it the baseline's input comes from.
        activation: What the baseline says.
    """

    explanation: ImageExplanation
    image: np.ndarray
    geometry: Geometry
    activation: ClassActivation


def attention_figure(
    comparisons: Sequence[Comparison], thumbnails: ThumbnailsOf, warning: str | None
) -> Image.Image:
    """Draw a row for each image.

    Args:
        comparisons: The images.
        thumbnails: Gives the images of a prototype, 'image' and 'crop', if there are any.
        warning: What has to be said of the ProtoPNet, if anything.
    """
    warnings = wrap(warning or '', 120)
    row = SIDE + CAPTION
    sheet = Sheet(WIDTH, HEADER + row * len(comparisons) + LINE * len(warnings))
    for left, (heading, rest) in zip(LEFT, HEADINGS):
        sheet.write(left, 10, heading, bold=True)
        sheet.write(left, 10 + LINE, rest, GREY)
    for number, one in enumerate(comparisons):
        top = HEADER + row * number
        _object_attention(sheet, one, top)
        _part_attention(sheet, one.explanation, top)
        _comparison(sheet, one.explanation, thumbnails, top)
    for number, line in enumerate(warnings):
        sheet.write(MARGIN, HEADER + row * len(comparisons) + LINE * number - GAP, line, RED)
    return sheet.image


def _object_attention(sheet: Sheet, one: Comparison, top: int) -> None:
    activation = one.activation
    heat = heat_map_of_input(thumbnail(one.image, SIDE), one.geometry, activation.activation)
    sheet.paste(_square(heat, SIDE), LEFT[0], top, SIDE)
    label = activation.label
    probability = float(activation.probabilities[label])
    _caption(sheet, one.explanation, label, probability, LEFT[0], top)


def _part_attention(sheet: Sheet, one: ImageExplanation, top: int) -> None:
    image = thumbnail(one.image, SIDE)
    height, width = image.shape[:2]
    sheet.paste(_square(image, SIDE), LEFT[1], top, SIDE)
    start = LEFT[1] + (SIDE - width) // 2, top + (SIDE - height) // 2
    matches = _drawn_matches(one)
    for number, match in enumerate(matches):
        upper, lower, left, right = one.box_in(image, match)
        corners = (start[0] + left, start[1] + upper, start[0] + right - 1, start[1] + lower - 1)
        # the later, the thinner: of boxes on the same place each is seen
        thickness = min(2 + len(matches) - number, -(-min(lower - upper, right - left) // 2))
        sheet.draw.rectangle(corners, outline=COLOURS[number], width=thickness)
    explained = one.prediction.target
    _caption(sheet, one, explained.label, explained.probability, LEFT[1], top)


def _comparison(sheet: Sheet, one: ImageExplanation, thumbnails: ThumbnailsOf, top: int) -> None:
    matches = _drawn_matches(one)
    for number, match in enumerate(matches):
        row = top + number * (PART + GAP)
        first, last, left, right = one.box_in(one.image, match)
        images = thumbnails(match.prototype) or {}
        parts = (one.image[first:last, left:right], images.get('crop'), images.get('image'))
        for place, part in zip(PARTS, parts):
            square = None if part is None else _square(part, PART)
            sheet.paste(square, place, row, PART)
        for place in PARTS[:2]:
            corners = (place, row, place + PART - 1, row + PART - 1)
            sheet.draw.rectangle(corners, outline=COLOURS[number], width=3)
        middle = row + PART // 2
        sheet.write(PARTS[0] + PART + 5, middle - 8, 'looks like', small=True)
        sheet.write(POINTS, middle - 16, f'{match.points:+.2f}', bold=True)
        sheet.write(POINTS, middle, 'points', GREY, small=True)
    end = top + len(matches) * (PART + GAP)
    for place, words in zip(PARTS, ('part', 'prototype', 'training image')):
        sheet.write(place, end, words, GREY, small=True)


def _drawn_matches(one: ImageExplanation) -> list[PrototypeMatch]:
    """Return the prototypes with most points for the predicted class, one for each colour."""
    return one.prediction.target.matches[: len(COLOURS)]


def _caption(
    sheet: Sheet, one: ImageExplanation, label: int, probability: float, left: int, top: int
) -> None:
    """Write below a column what its network predicts, and whether that is right."""
    name = shortened(one.class_name(label), SIDE)
    sheet.write(left, top + SIDE + 4, name, bold=True)
    colour, verdict = GREY, ''
    if one.true_class is not None:
        correct = one.true_class == label
        colour = GREEN if correct else RED
        verdict = ', right' if correct else f', but it is {one.class_name(one.true_class)}'
    words = shortened(f'{probability:.1%}{verdict}', SIDE)
    sheet.write(left, top + SIDE + 4 + LINE, words, colour)


def _square(image: np.ndarray, side: int) -> np.ndarray:
    """Return the image in the middle of a white square."""
    small = thumbnail(image, side)
    height, width = small.shape[:2]
    top, left = (side - height) // 2, (side - width) // 2
    square = np.full((side, side, 3), 255, np.uint8)
    square[top : top + height, left : left + width] = small
    return square
