"""What carries no feathers: the beak, the eye and the feet, with their variants."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, darker, ellipse, smooth
from .plumage import BLACK, EDGE, WHITE

# Outline, colour and the line between the mandibles.
BEAKS = {
    'hooked': (
        smooth([
            (0.66, -0.68), (0.84, -0.68), (1.0, -0.58), (1.06, -0.42), (1.02, -0.26),
            (0.94, -0.4), (0.82, -0.36), (0.7, -0.34),
        ]),
        (244, 190, 40),
        [(0.68, -0.48), (0.82, -0.48), (0.95, -0.44)],
    ),
    'slender': (
        np.array([(0.68, -0.58), (1.24, -0.49), (0.68, -0.42)]),
        (44, 44, 52),
        [(0.7, -0.5), (1.1, -0.49)],
    ),
    'conical': (
        smooth([(0.64, -0.7), (0.8, -0.64), (1.02, -0.46), (0.82, -0.34), (0.66, -0.28)]),
        (226, 70, 48),
        [(0.68, -0.46), (0.96, -0.46)],
    ),
    'sickle': (
        smooth([
            (0.66, -0.62), (0.88, -0.62), (1.1, -0.5), (1.2, -0.22), (1.06, -0.4),
            (0.86, -0.48), (0.68, -0.44),
        ]),
        (240, 140, 160),
        [(0.7, -0.53), (0.88, -0.55), (1.06, -0.46)],
    ),
}  # fmt: skip

# Length and width of the leg, and its colour.
LEGS = {
    'stilted': (0.62, 0.06, (222, 54, 60)),
    'short': (0.3, 0.075, (238, 178, 40)),
    'webbed': (0.38, 0.075, (62, 140, 196)),
    'booted': (0.4, 0.07, (52, 48, 52)),
}
TOES = [(0.24, 0.05), (0.17, 0.09), (-0.13, 0.07)]
WEB = [
    (0, -0.03),
    (0.28, 0.03),
    (0.18, 0.07),
    (0.22, 0.14),
    (0.1, 0.11),
    (0.02, 0.15),
    (-0.08, 0.04),
]
BOOT = [(-0.13, -0.04), (0.13, -0.04), (0.1, 0.2), (0.05, 0.34), (-0.05, 0.34), (-0.1, 0.2)]
NEAR_HIP, FAR_HIP = (0.16, 0.46), (-0.08, 0.46)


def draw_beak(head: Canvas, variant: str) -> None:
    """Return the beak, on a canvas turned with the head."""
    outline, colour, gape = BEAKS[variant]
    head.fill(outline, colour, EDGE)
    head.line(smooth(gape, closed=False), (60, 40, 40), 0.6 * EDGE)


def draw_eye(head: Canvas) -> None:
    """Return the eye, with a pale ring that keeps it clear of a dark cap."""
    head.fill(ellipse(0.55, -0.54, 0.075), WHITE)
    head.fill(ellipse(0.55, -0.54, 0.056), BLACK)
    head.fill(ellipse(0.578, -0.568, 0.016), WHITE)


def foot_point(leg: Canvas, variant: str) -> np.ndarray:
    """Return the pixel (2,) that the foot stands on, on a canvas as for :func:`draw_leg`."""
    return leg.at((0, LEGS[variant][0]))


def draw_leg(leg: Canvas, variant: str) -> None:
    """One leg and its toes, on a canvas of its own: it points down from the origin, the hip."""
    length, width, colour = LEGS[variant]
    foot = np.array([0, length])
    leg.line([(0, 0), foot], darker(colour), width + EDGE)
    leg.line([(0, 0), foot], colour, width)
    if variant == 'webbed':
        leg.fill(np.array(WEB) + foot, colour, EDGE)
    else:
        for toe in TOES:
            leg.line([foot, foot + toe], colour, 0.8 * width)
    if variant == 'booted':
        leg.fill(smooth(BOOT), WHITE, EDGE)
