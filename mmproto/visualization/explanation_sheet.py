"""Draws an explanation as one image: this looks like that, and the points that follow."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.explanation.prediction_explanation import ClassExplanation
from mmproto.explanation.prototype_match import PrototypeMatch
from mmproto.visualization.drawing import draw_box, thumbnail
from mmproto.visualization.page_data import rival_question, target_question
from mmproto.visualization.sheet import GREEN, GREY, RED, SMALL, Sheet, shortened

SIDE = 84
GAP = 8
TEXT = 132
COLUMN = 4 * (SIDE + GAP) + TEXT
HEADER = 168
LINE = 20
ThumbnailsOf = Callable[[int], dict[str, np.ndarray] | None]


def explanation_sheet(
    one: ImageExplanation, thumbnails: ThumbnailsOf, warning: str | None
) -> Image.Image:
    """Draw the matches of the explained class beside those of its rival.

    Args:
        one: The explanation.
        thumbnails: Gives the images of a prototype, 'image' and 'crop', if there are any.
        warning: What has to be said of the model, if anything.
    """
    prediction = one.prediction
    columns = ((prediction.target, target_question(one)), (prediction.rival, rival_question(one)))
    rows = max(len(explained.matches) for explained, _ in columns)
    height = HEADER + 2 * LINE + rows * (SIDE + GAP) + 2 * LINE + GAP
    height += LINE + SIDE + 2 * LINE + 2 * GAP  # the most similar
    sheet = Sheet(2 * COLUMN + 3 * GAP, height)
    _header(sheet, one, warning)
    for number, (explained, question) in enumerate(columns):
        left = GAP + number * (COLUMN + GAP)
        _column(sheet, one, explained, question, thumbnails, left)
    _most_similar(sheet, one, thumbnails, HEADER + 4 * LINE + rows * (SIDE + GAP) + GAP)
    return sheet.image


def _header(sheet: Sheet, one: ImageExplanation, warning: str | None) -> None:
    image = thumbnail(one.image, HEADER - 2 * GAP)
    sheet.paste(image, GAP, GAP, HEADER - 2 * GAP)
    left, top = image.shape[1] + 3 * GAP, GAP
    prediction, label = one.prediction, one.prediction.label
    probability = float(prediction.probabilities[label])
    single = prediction.predicted == [label]
    said = f'{one.class_name(label)}  {probability:.1%}' if single else one.verdict
    lines = [(one.name, GREY), (said, 'black')]
    if one.true_class is not None:
        correct = one.true_class == label
        words = 'which is right' if correct else f'but it is {one.class_name(one.true_class)}'
        lines.append((words, GREEN if correct else RED))
    if warning is not None:
        lines += [(part, RED) for part in warning.split(': ')]
    for text, colour in lines:
        room = sheet.image.width - left - GAP
        sheet.write(left, top, shortened(text, room), colour, bold=colour == 'black')
        top += LINE + 2


def _column(
    sheet: Sheet,
    one: ImageExplanation,
    explained: ClassExplanation,
    question: str,
    thumbnails: ThumbnailsOf,
    left: int,
) -> None:
    words = shortened(f'{question} {one.class_name(explained.label)}', COLUMN - 2 * GAP)
    sheet.write(left, HEADER, f'{words}?', bold=True)
    captions = ('this', 'here', 'looks like that', 'of this training image')
    for number, caption in enumerate(captions):
        sheet.write(left + number * (SIDE + GAP), HEADER + LINE, caption, GREY, small=True)
    top = HEADER + 2 * LINE
    for match in explained.matches:
        _row(sheet, one, match, thumbnails(match.prototype), left, top)
        top += SIDE + GAP
    start = f'   at the start  {explained.start:+.2f}' if explained.start else ''
    sheet.write(left, top, f'all other prototypes  {explained.rest:+.2f}{start}', GREY)
    words = f'logit  {explained.logit:.2f}   ({explained.probability:.1%})'
    sheet.write(left, top + LINE, words, bold=True)


def _row(
    sheet: Sheet,
    one: ImageExplanation,
    match: PrototypeMatch,
    images: dict[str, np.ndarray] | None,
    left: int,
    top: int,
) -> None:
    box = one.box_in(one.image, match)
    small = thumbnail(one.image, SIDE)
    sheet.paste(draw_box(small, one.box_in(small, match)), left, top, SIDE)
    crop = one.image[box.top : box.bottom, box.left : box.right]
    sheet.paste(crop, left + SIDE + GAP, top, SIDE)
    sheet.paste(images['crop'] if images else None, left + 2 * (SIDE + GAP), top, SIDE)
    sheet.paste(images['image'] if images else None, left + 3 * (SIDE + GAP), top, SIDE)
    text = left + 4 * (SIDE + GAP)
    highest = one.prediction.highest_score
    scale = f' of {highest:.2f}' if highest > 0 else ''
    sheet.write(text, top + 8, f'{match.score:.2f}{scale} score', GREY)
    sheet.write(text, top + 8 + LINE, f'x {match.weight:.2f} weight', GREY)
    sheet.write(text, top + 10 + 2 * LINE, f'= {match.points:+.2f} points')
    sheet.write(text, top + 10 + 3 * LINE, shortened(match.name, TEXT - GAP, SMALL), small=True)


def _most_similar(sheet: Sheet, one: ImageExplanation, thumbnails: ThumbnailsOf, top: int) -> None:
    sheet.write(GAP, top, 'The most similar prototypes of all classes', bold=True)
    matches = one.prediction.most_similar
    step = (sheet.image.width - GAP) // max(len(matches), 1)
    side = min(SIDE, step - GAP)
    for number, match in enumerate(matches):
        left = GAP + number * step
        images = thumbnails(match.prototype)
        sheet.paste(images['crop'] if images else None, left, top + LINE, side)
        name = shortened(one.class_name(match.prototype_class), step - GAP, SMALL)
        sheet.write(left, top + LINE + side + 2, name, GREY, small=True)
        sheet.write(left, top + 2 * LINE + side - 4, f'{match.score:.2f}', small=True)
