"""The feathers: torso and head, and the variants of crown, wing, breast and tail.

All in bird units: the bird faces right, its torso is about 1.3 long and the origin lies within.
Colours belong to a variant, wherever it is seen; only the body's tint changes from bird to bird.
"""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, darker, ellipse, rotation, smooth

BLACK, WHITE, CREAM = (34, 32, 38), (246, 244, 238), (240, 226, 190)
BREAST_GROUND = {
    'spotted': CREAM,
    'streaked': (236, 204, 84),
    'plain': (222, 98, 44),
    'banded': WHITE,
}
WING_GROUND = {
    'barred': (112, 72, 46),
    'spotted': (58, 56, 64),
    'plain': (58, 104, 176),
    'two-tone': (44, 84, 62),
}
EDGE = 0.018

TORSO = smooth([
    (0.36, -0.52), (0.12, -0.40), (-0.2, -0.22), (-0.5, 0.05), (-0.68, 0.24), (-0.6, 0.38),
    (-0.28, 0.53), (0.08, 0.58), (0.42, 0.44), (0.62, 0.12), (0.66, -0.18), (0.62, -0.42),
])  # fmt: skip
HEAD = smooth([
    (0.76, -0.5), (0.7, -0.68), (0.52, -0.8), (0.32, -0.76), (0.17, -0.58), (0.16, -0.36),
    (0.3, -0.22), (0.5, -0.2), (0.68, -0.32),
])  # fmt: skip
CAP = smooth([(0.8, -0.62), (0.6, -0.62), (0.4, -0.56), (0.1, -0.42), (0.1, -0.9), (0.7, -0.9)])
CREST = smooth([
    (0.74, -0.62), (0.62, -0.82), (0.42, -0.98), (0.06, -1.2), (0.14, -0.94), (-0.04, -0.88),
    (0.1, -0.7), (0.2, -0.54), (0.44, -0.62),
])  # fmt: skip
# The breast's front is the torso's own, from belly to throat.
BREAST_BACK = [(0.62, -0.42), (0.44, -0.28), (0.26, -0.2), (0.15, 0.05), (0.1, 0.34), (0.08, 0.58)]
BREAST = np.vstack([TORSO[56:88], smooth(BREAST_BACK, closed=False)])
WING = smooth([
    (0.26, -0.16), (0.14, -0.28), (-0.1, -0.24), (-0.42, -0.02), (-0.72, 0.2), (-0.94, 0.4),
    (-0.68, 0.4), (-0.4, 0.4), (-0.1, 0.36), (0.14, 0.22), (0.26, 0.02),
])  # fmt: skip
COVERTS = smooth([(0.4, -0.4), (-0.3, -0.4), (-0.34, -0.05), (-0.1, 0.2), (0.2, 0.3), (0.4, 0.0)])
WING_SPOTS = [
    (0.12, -0.12), (0.1, 0.08), (-0.06, -0.06), (-0.1, 0.14), (-0.24, 0.02), (-0.3, 0.22),
    (-0.44, 0.14), (-0.52, 0.3), (-0.66, 0.26), (0.0, 0.25),
]  # fmt: skip
NECK, SHOULDER, RUMP = (0.4, -0.34), (0.16, -0.12), (-0.56, 0.26)


def draw_body(body: Canvas, head: Canvas, tint) -> None:
    """Torso and head as one shape, rounded by a shadow below and a paler vent."""
    for part, outline in ((body, TORSO), (head, HEAD)):
        part.line(np.vstack([outline, outline[:2]]), darker(tint), 2 * EDGE)
    body.fill(TORSO, tint)
    body.mark(TORSO, [ellipse(-0.3, 0.45, 0.4, 0.2, 20)], CREAM, soft=0.1, strength=0.7)
    body.mark(TORSO, [np.add(TORSO, (0, 0.62))], darker(tint), soft=0.12, strength=0.5)
    head.fill(HEAD, tint)


def draw_crown(head: Canvas, variant: str, tint) -> None:
    """Return the crown, on a canvas turned with the head."""
    if variant == 'crested':
        head.fill(CREST, (206, 44, 40), EDGE)
        for tip in ((0.12, -1.08), (0.06, -0.84)):
            head.line([(0.5, -0.72), tip], (140, 24, 28), EDGE)
    elif variant == 'capped':
        head.mark(HEAD, [CAP], BLACK)
    elif variant == 'striped':
        head.mark(HEAD, [CAP], WHITE)
        low = np.array([(0.78, -0.63), (0.56, -0.69), (0.36, -0.64), (0.14, -0.47)])
        head.mark(HEAD, [_band(low, 0.06), _band(low - (0, 0.15), 0.055)], BLACK)
    else:
        head.mark(HEAD, [CAP], tuple(channel + 24 for channel in tint), soft=0.06)


def draw_breast(body: Canvas, variant: str) -> None:
    """Return the breast, from throat to belly."""
    body.mark(TORSO, [BREAST], BREAST_GROUND[variant], soft=0.03)
    if variant == 'spotted':
        rows = [(0.22 + 0.075 * (row % 2), -0.16 + 0.14 * row) for row in range(6)]
        spots = [ellipse(x + 0.15 * column, y, 0.048) for x, y in rows for column in range(3)]
        body.mark(BREAST, spots, BLACK)
    elif variant == 'streaked':
        starts = (0.32, 0.44, 0.56, 0.68)
        streaks = [_band([(x, -0.22), (x - 0.06, 0.1), (x - 0.26, 0.5)], 0.05) for x in starts]
        body.mark(BREAST, streaks, (112, 62, 24))
    elif variant == 'banded':
        collar = [(0.1, -0.02), (0.34, 0.12), (0.56, 0.08), (0.8, -0.06)]
        body.mark(TORSO, [_band(collar, 0.2)], BLACK)


def draw_wing(body: Canvas, variant: str, lift: float) -> None:
    """Return the near wing, lifted by degrees about the shoulder, and its shadow on the flank."""
    ground, wing = WING_GROUND[variant], body.turned(lift, SHOULDER)
    shadow = np.subtract(WING, SHOULDER) @ rotation(lift).T + SHOULDER + (0, 0.08)
    body.mark(TORSO, [shadow], darker(ground, 0.4), soft=0.06, strength=0.5)
    wing.fill(WING, ground, EDGE)
    for y in (0.1, 0.2, 0.3):
        quill = smooth([(0.0, y), (-0.35, y + 0.06), (-0.86, 0.4)], closed=False)
        wing.line(quill, darker(ground), EDGE)
    if variant == 'barred':
        tops = (0.17, -0.08, -0.33)
        bars = [_band([(x, -0.3), (x - 0.16, 0.05), (x - 0.14, 0.5)], 0.085) for x in tops]
        wing.mark(WING, bars, WHITE)
    elif variant == 'spotted':
        wing.mark(WING, [ellipse(x, y, 0.052) for x, y in WING_SPOTS], WHITE)
    elif variant == 'two-tone':
        wing.mark(WING, [COVERTS], (238, 178, 36))
    else:
        wing.mark(WING, [COVERTS], (98, 146, 210), soft=0.03, strength=0.6)


def draw_tail(tail: Canvas, variant: str) -> None:
    """Draw the tail on a canvas of its own: it points left from the origin, its root."""
    if variant == 'forked':
        prong = [(0.2, 0.07), (-0.2, 0.12), (-0.5, 0.26), (-0.84, 0.4), (-0.5, 0.1), (-0.26, 0)]
        prong = smooth([*prong, (0.2, -0.04)])
        for side in (-1, 1):
            tail.fill(prong * (1, side), (40, 44, 70), EDGE)
    elif variant == 'fan':
        feather = ellipse(-0.36, 0, 0.42, 0.095)
        for angle in (-36, 36, -24, 24, -12, 12, 0):
            spread = tail.turned(angle, (0, 0))
            spread.fill(feather, (190, 92, 48), EDGE)
            spread.mark(feather, [ellipse(-0.68, 0, 0.13, 0.14)], BLACK)
    elif variant == 'long':
        blade = smooth([(0.2, -0.1), (-0.9, -0.1), (-1.06, 0), (-0.9, 0.1), (0.2, 0.1)])
        tail.fill(blade, (24, 110, 116), EDGE)
        tail.mark(blade, [ellipse(-1.0, 0, 0.22, 0.2)], WHITE)
        tail.line([(0, 0), (-0.8, 0)], (14, 66, 72), EDGE)
    else:
        block = np.array([(0.2, -0.12), (-0.5, -0.17), (-0.54, 0.17), (0.2, 0.12)])
        tail.fill(block, CREAM, EDGE)
        bars = [_band([(x, -0.3), (x, 0.3)], 0.09) for x in (-0.14, -0.31, -0.48)]
        tail.mark(block, bars, (122, 78, 44))


def _band(points, width: float) -> np.ndarray:
    """Return the outline of a strip of that width along a smooth line through the points."""
    line = smooth(points, closed=False)
    along = np.gradient(line, axis=0)
    across = along[:, ::-1] * (-1, 1) / np.hypot(*along.T)[:, None] * width / 2
    return np.vstack([line + across, (line - across)[::-1]])
