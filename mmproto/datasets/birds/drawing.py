"""Draws one bird: a species in a pose, as a sprite with its parts located."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from . import bare_parts, plumage
from .canvas import Canvas
from .species import Species

# The fifteen parts that CUB-200-2011 locates, in its order.
CUB_PARTS = (
    'back', 'beak', 'belly', 'breast', 'crown', 'forehead', 'left eye', 'left leg', 'left wing',
    'nape', 'right eye', 'right leg', 'right wing', 'tail', 'throat',
)  # fmt: skip

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
        image: RGBA, cut to the bird.
        parts: CUB part name to (x, y) in pixels of the image; the far side's parts are left out.
        feet: (x, y) between the feet.
    """

    image: Image.Image
    parts: dict[str, np.ndarray]
    feet: np.ndarray


def draw_bird(bird: Species, pose: Pose, unit: float) -> Sprite:
    """Draws a species in a pose.

    Args:
        bird: The species.
        pose: The pose.
        unit: Pixels a bird unit; the bird is 2 to 2.6 units long.
    """
    side = round(3.6 * unit)
    flip = np.diag([1.0 if pose.faces_right else -1.0, 1.0])
    image = Image.new('RGBA', (side, side), (*pose.tint, 0))
    upright = Canvas(image, unit * flip, np.array([side / 2, side / 2]))
    body = upright.turned(pose.lean, (0, 0))
    head = body.turned(pose.head, plumage.NECK)
    tail = body.turned(pose.tail, plumage.RUMP).moved(plumage.RUMP)
    # Legs stand as the stance has them, however the body leans.
    near, far = (
        body.turned(angle - pose.lean, hip).moved(hip)
        for angle, hip in zip(pose.stance, (bare_parts.NEAR_HIP, bare_parts.FAR_HIP))
    )

    feet = (bare_parts.draw_leg(far, bird.feet) + bare_parts.draw_leg(near, bird.feet)) / 2
    plumage.draw_tail(tail, bird.tail)
    plumage.draw_body(body, head, pose.tint)
    plumage.draw_breast(body, bird.breast)
    plumage.draw_crown(head, bird.crown, pose.tint)
    bare_parts.draw_beak(head, bird.beak)
    bare_parts.draw_eye(head)
    plumage.draw_wing(body, bird.wing, pose.wing)

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
    left, top, right, bottom = image.getbbox()
    corner = np.array([left, top])
    located = {name: point - corner for name, point in parts.items()}
    return Sprite(image.crop((left, top, right, bottom)), located, feet - corner)
