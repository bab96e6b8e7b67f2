"""Rendered birds: a small data set in CUB-200-2011's layout that needs no download."""

from .cub_layout import make_birds
from .drawing import CUB_PARTS, Pose, draw_bird
from .scene import BACKGROUND, Scene, draw_scene
from .species import MAX_SPECIES, VARIANTS, Species, species

__all__ = [
    'BACKGROUND',
    'CUB_PARTS',
    'MAX_SPECIES',
    'VARIANTS',
    'Pose',
    'Scene',
    'Species',
    'draw_bird',
    'draw_scene',
    'make_birds',
    'species',
]
