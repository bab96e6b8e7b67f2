"""The figure of what two networks look at, pixel by pixel where it matters."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS
from PIL import ImageColor, ImageFont

from mmproto.datasets.geometry import Geometry
from mmproto.explanation.class_activation import ClassActivation
from mmproto.explanation.explain import explain
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.visualization.attention_figure import (
    COLOURS,
    HEADER,
    LEFT,
    PART,
    PARTS,
    SIDE,
    WIDTH,
    Comparison,
    attention_figure,
)
from mmproto.visualization.drawing import heat_map_of_input
from mmproto.visualization.sheet import GREEN, RED, shortened
from tests.toy import model_config

GREY_LEVEL = 90
BOXES = [(4, 12, 4, 12), (20, 30, 24, 32), (24, 36, 2, 18)]
NAMES = ['a_bird', 'another_bird']


@cache
def prediction():
    """A real one, of a network with random weights."""
    torch.manual_seed(0)
    model = MODELS.build(model_config(num_classes=2, prototypes_per_class=3)).eval()
    return explain(model, torch.rand(1, 3, 40, 40), [None])[0]


def comparison(boxes=BOXES, size=(40, 40), true_class=0, predicted=(0, 0), names=NAMES):
    """A grey image with matches in these boxes; predictions of the ProtoPNet, the baseline."""
    sure = torch.tensor([[0.9, 0.1], [0.1, 0.9]])
    one = prediction()
    matches = [
        replace(match, prototype=number, box=box)
        for number, (match, box) in enumerate(zip(one.target.matches, boxes))
    ]
    target = replace(one.target, label=predicted[0], matches=matches)
    explanation = ImageExplanation(
        name='one',
        path=None,
        image=np.full((*size, 3), GREY_LEVEL, np.uint8),
        geometry=Geometry(size, size),
        prediction=replace(one, probabilities=sure[predicted[0]], target=target),
        fields={},
        true_class=true_class,
        classes=names,
    )
    activation = np.linspace(0, 1, size[0] * size[1], dtype=np.float32).reshape(size)
    return Comparison(
        explanation,
        explanation.image,
        explanation.geometry,
        ClassActivation(sure[predicted[1]], activation),
    )


def no_images(prototype):
    return None


def drawn(*comparisons, thumbnails=no_images, warning=None):
    return np.asarray(attention_figure(comparisons, thumbnails, warning))


def count(image, colour):
    return int((image == ImageColor.getrgb(colour)).all(axis=-1).sum())


def test_each_part_has_a_box_of_its_colour_where_it_is():
    figure = drawn(comparison())
    for colour, (top, bottom, left, right) in zip(COLOURS, BOXES):
        scale = SIDE // 40
        edges = figure[HEADER + top * scale : HEADER + bottom * scale,
                       LEFT[1] + left * scale : LEFT[1] + right * scale]  # fmt: skip
        for edge in (edges[0], edges[-1], edges[:, 0], edges[:, -1]):
            assert count(edge, colour) == len(edge)
        inside = edges[8:-8, 8:-8]
        assert (inside == GREY_LEVEL).all()


def test_of_boxes_in_one_place_each_is_seen():
    column = drawn(comparison([BOXES[0]] * 3))[:, LEFT[1] : LEFT[1] + SIDE]
    assert all(count(column, colour) > 100 for colour in COLOURS)


def test_parts_are_beside_their_prototypes():
    shades = [(200, 10 * number, 0) for number in range(3)]

    def thumbnails(prototype):
        image = np.full((8, 8, 3), shades[prototype][::-1], np.uint8)  # BGR
        return dict(crop=image, image=image // 2)

    figure = drawn(comparison(), thumbnails=thumbnails)
    for number, shade in enumerate(shades):
        middle = HEADER + number * (PART + 6) + PART // 2
        part, prototype, image = (figure[middle, place + PART // 2] for place in PARTS)
        assert part.tolist() == [GREY_LEVEL] * 3
        assert prototype.tolist() == list(shade)
        assert image.tolist() == [value // 2 for value in shade]
        assert count(figure[middle : middle + 1], COLOURS[number]) >= 2 * 3


def test_heat_covers_what_the_network_sees_and_no_more():
    image = np.full((40, 60, 3), GREY_LEVEL, np.uint8)
    image[..., 1] += 1  # not grey, or the heat map would be another
    given = image.copy()
    # the input is the part from (20, 40) to (60, 80) of an image of (80, 120)
    geometry = Geometry((80, 120), (10, 10), step=(4.0, 4.0), start=(20.0, 40.0))
    activation = np.zeros((10, 10), np.float32)
    activation[5:, :5] = 1
    result = heat_map_of_input(image, geometry, activation)
    changed = (result != image).any(axis=-1)
    assert changed[10:30, 20:40].all()
    assert changed.sum() == 20 * 20
    blue, red = result[..., 0].astype(int), result[..., 2].astype(int)
    assert (red > blue)[22:30, 20:28].all()
    assert (red < blue)[10:18, 20:40].all()
    assert (image == given).all()


@pytest.mark.parametrize(
    ('true_class', 'predicted', 'right', 'wrong'),
    [
        (0, (0, 0), (True, True), (False, False)),
        (0, (0, 1), (False, True), (True, False)),
        (1, (0, 1), (True, False), (False, True)),
        (None, (0, 1), (False, False), (False, False)),
    ],
)
def test_it_says_which_network_is_right(true_class, predicted, right, wrong):
    figure = drawn(comparison(true_class=true_class, predicted=predicted))
    captions = [figure[HEADER + SIDE :, left : left + SIDE] for left in LEFT[:2]]
    assert tuple(count(caption, GREEN) > 0 for caption in captions) == right
    assert tuple(count(caption, RED) > 0 for caption in captions) == wrong


@pytest.mark.parametrize('size', [(4, 400), (400, 4), (1, 1), (1024, 700)])
def test_any_shape_of_image_stays_in_its_column(size):
    rows, columns = size
    boxes = [(0, 1, 0, 1), (rows - 1, rows, columns - 1, columns), (0, rows, 0, columns)]
    figure = drawn(comparison(boxes, size), comparison(boxes, size))
    assert figure.shape[1] == WIDTH
    assert (figure[HEADER:, LEFT[0] + SIDE : LEFT[1]] == 255).all()
    assert (figure[HEADER:, LEFT[1] + SIDE : LEFT[2]] == 255).all()
    column = figure[HEADER : HEADER + SIDE, LEFT[1] : LEFT[1] + SIDE]
    assert count(column, COLOURS[-1]) > 0


def test_names_are_cut_to_their_column():
    long = drawn(comparison(names=['W' * 500, 'x'], predicted=(0, 0), true_class=1))
    assert (long[HEADER:, LEFT[0] + SIDE + 1 : LEFT[1]] == 255).all()
    assert shortened('a  short\nname', 200) == 'a short name'
    cut = shortened('Great Crested Flycatcher of the North', 120)
    assert cut.startswith('Great')
    assert cut.endswith('...')
    assert 100 < ImageFont.load_default(size=14).getlength(cut) <= 120


def test_few_prototypes_and_a_warning():
    plain, warned = (
        drawn(comparison(BOXES[:1])),
        drawn(comparison(BOXES[:1]), warning='Push it. ' * 30),
    )
    assert count(plain, COLOURS[1]) == 0
    assert count(plain, RED) == 0
    assert count(warned[len(plain) :], RED) > 0
    assert (warned[: len(plain) - 6] == plain[:-6]).all()
