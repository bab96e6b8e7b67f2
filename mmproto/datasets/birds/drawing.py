"""Draws one bird: a species in a pose, as a sprite with its parts located."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from PIL import Image

from . import bare_parts, plumage
from .canvas import Canvas
from .species import VARIANTS, Species

# The fifteen parts that CUB-200-2011 locates, in its order.
CUB_PARTS = (
    'back', 'beak', 'belly', 'breast', 'crown', 'forehead', 'left eye', 'left leg', 'left wing',
    'nape', 'right eye', 'right leg', 'right wing', 'tail', 'throat',
)  # fmt: skip

# How CUB-200-2011 calls a field of `Species`, where it is another word.
LAST_WORDS = {'feet': 'leg'}

# Body tints, shared by all species: any mixture of two may be any bird's.
TINTS = np.array([(150, 122, 92), (128, 130, 128), (122, 126, 88), (172, 146, 116), (112, 98, 92)])


@dataclass(frozen=True)
class Pose:
    """How a bird holds itself; angles in degrees, clockwise where it faces right."""

    lean: float
    head: float
    wing: float
    tail: float
    stance: tuple[float, float]
    faces_right: bool
    tint: tuple[int, ...]

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Pose:
        """Return a pose drawn at random, in ranges that keep every part in sight."""
        first, second = TINTS[rng.choice(len(TINTS), 2, replace=False)]
        share = rng.random()
        return cls(
            lean=rng.uniform(-16, 14),
            head=rng.uniform(-14, 16),
            wing=rng.uniform(0, 28) if rng.random() < 0.35 else rng.uniform(-3, 5),
            tail=rng.uniform(-32, -8),
            stance=(rng.uniform(-14, 4), rng.uniform(-4, 16)),
            faces_right=bool(rng.random() < 0.5),
            tint=tuple(int(c) for c in share * first + (1 - share) * second),
        )


@dataclass(frozen=True)
class Sprite:
    """A drawn bird on nothing.

    Attributes:
        canvas: RGBA, with room around the bird.
        numbers: L, as large: the part in sight at each pixel, counted from 1 in the order of
            `VARIANTS`; 0 for the rest of the bird and around it.
        box: left, top, right and bottom of the bird on the canvas.
        parts: CUB part name to (x, y) in pixels from the box's corner; the far side's parts are
            left out, and those that the bird lacks.
        feet: (x, y) between the feet, likewise.
    """

    canvas: Image.Image
    numbers: Image.Image
    box: tuple[int, int, int, int]
    parts: dict[str, np.ndarray]
    feet: np.ndarray

    @property
    def image(self) -> Image.Image:
        """RGBA, cut to the bird."""
        return self.canvas.crop(self.box)


def draw_bird(bird: Species, pose: Pose, unit: float, without: Collection[str] = ()) -> Sprite:
    """Draws a species in a pose.

    Args:
        bird: The species.
        pose: The pose.
        unit: Pixels a bird unit; the bird is 2 to 2.6 units long.
        without: Parts, as the fields of `Species`, that are left out; what they hid is seen.
    """
    side = round(3.6 * unit)
    flip = np.diag([1.0 if pose.faces_right else -1.0, 1.0])
    image, numbers = Image.new('RGBA', (side, side), (*pose.tint, 0)), Image.new('L', (side, side))
    upright = Canvas(image, numbers, unit * flip, np.array([side / 2, side / 2]))
    body = upright.turned(pose.lean, (0, 0))
    head = body.turned(pose.head, plumage.NECK)
    tail = body.turned(pose.tail, plumage.RUMP).moved(plumage.RUMP)
    # Legs stand as the stance has them, however the body leans.
    near, far = (
        body.turned(angle - pose.lean, hip).moved(hip)
        for angle, hip in zip(pose.stance, (bare_parts.NEAR_HIP, bare_parts.FAR_HIP))
    )

    def draw(part: str, stroke: Callable[..., None], canvas: Canvas, *how) -> None:
        if part not in without:
            stroke(canvas.numbered(1 + list(VARIANTS).index(part)), getattr(bird, part), *how)

    draw('feet', bare_parts.draw_leg, far)
    draw('feet', bare_parts.draw_leg, near)
    draw('tail', plumage.draw_tail, tail)
    plumage.draw_body(body, head, pose.tint)
    draw('breast', plumage.draw_breast, body)
    draw('crown', plumage.draw_crown, head, pose.tint)
    draw('beak', bare_parts.draw_beak, head)
    bare_parts.draw_eye(head)
    draw('wing', plumage.draw_wing, body, pose.wing)

    near_side, far_side = ('right', 'left') if pose.faces_right else ('left', 'right')
    wing, shin = body.turned(pose.wing, plumage.SHOULDER), (0, 0.24)
    parts = {
        'back': body.at((-0.12, -0.24)),
        'beak': head.at((0.84, -0.52)),
        'belly': body.at((0.0, 0.48)),
        'breast': body.at((0.44, 0.12)),
        'crown': head.at((0.44, -0.72)),
        'forehead': head.at((0.64, -0.66)),
        'nape': head.at((0.22, -0.5)),
        'tail': tail.at((-0.34, 0.06)),
        'throat': head.at((0.6, -0.3)),
        f'{near_side} eye': head.at((0.55, -0.54)),
        f'{near_side} wing': wing.at((-0.2, 0.1)),
        f'{near_side} leg': near.at(shin),
        f'{far_side} leg': far.at(shin),
    }
    gone = {LAST_WORDS.get(part, part) for part in without}
    box = image.getbbox()
    corner = np.array(box[:2])
    located = {
        name: point - corner for name, point in parts.items() if name.split()[-1] not in gone
    }
    feet = sum(bare_parts.foot_point(leg, bird.feet) for leg in (far, near)) / 2
    return Sprite(image, numbers, box, located, feet - corner)
