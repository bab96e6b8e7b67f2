"""What pictures of birds would look like were one thing else: the files that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain, combinations
from pathlib import Path

import numpy as np
from PIL import Image

from .scene import draw_scene
from .species import VARIANTS, Species, species

FOLDER, MASKS = 'interventions', 'part_masks'
SEVERAL = 5  # test pictures of a class that are drawn without every set of parts: 57 a picture


def other_variants(bird: Species, rng: np.random.Generator) -> dict[str, str]:
    """Return for each part a variant that is not the bird's own.

    Each alone makes a bird of no species, as those differ in four parts at least.
    """
    return {
        part: str(rng.choice([variant for variant in variants if variant != getattr(bird, part)]))
        for part, variants in VARIANTS.items()
    }


def part_sets() -> list[tuple[str, ...]]:
    """Return all sets of two parts or more, in the order of `VARIANTS`, smaller ones first."""
    sizes = range(2, len(VARIANTS) + 1)
    return [parts for size in sizes for parts in combinations(VARIANTS, size)]


def draw_interventions(
    bird: Species, size: int, origin: Sequence[int], swapped: dict[str, str], rng
) -> Iterator[tuple[str, Image.Image]]:
    """Draw a picture again with one thing changed at a time.

    Args:
        bird: The species.
        size: The side of the picture in pixels.
        origin: What the picture's generator was seeded with.
        swapped: The variant that each part is exchanged for.
        rng: What the other background is drawn from.

    Yields:
        The folder of the change, such as 'without/beak', and the picture.
    """
    changes = {f'without/{part}': dict(without=(part,)) for part in VARIANTS}
    changes |= {f'swapped/{part}': dict(swapped={part: swapped[part]}) for part in VARIANTS}
    changes |= {'background': dict(background=rng)}
    for folder, change in changes.items():
        yield folder, draw_scene(bird, size, np.random.default_rng(origin), **change).image


def draw_without_sets(
    bird: Species, size: int, origin: Sequence[int]
) -> Iterator[tuple[str, Image.Image]]:
    """Draw a picture again without every set of parts.

    Args:
        bird: The species.
        size: The side of the picture in pixels.
        origin: What the picture's generator was seeded with.

    Yields:
        The folder of the set, such as 'without/beak+tail', and the picture.
    """
    for parts in part_sets():
        scene = draw_scene(bird, size, np.random.default_rng(origin), without=parts)
        yield f'without/{"+".join(parts)}', scene.image


def write_interventions(
    root: Path,
    train: int,
    test: int,
    size: int,
    seed: int,
    track: Callable[[Sequence[int]], Iterable[int]],
) -> None:
    """Write the part masks and the interventions of the test pictures of a folder of birds.

    The first of each class are drawn without every set of parts as well, which is what checks of
    several parts at once ask for, and ``variants.txt`` says which variants a class has.

    Each file has its picture's own path, so that a folder such as interventions/without/beak can
    be read in the place of images. As JPEG keeps blocks, a change shows faintly up to 16 pixels
    around it.

    Args:
        root: The folder, written with the arguments that follow.
        train: Training pictures a class.
        test: Test pictures a class.
        size: The side of a picture in pixels.
        seed: What the pictures are drawn from.
        track: Wraps the picture numbers that are looped over, to show progress.
    """
    paths = [line.split()[1] for line in (root / 'images.txt').read_text().splitlines()]
    lines = []
    for number in track([n for n in range(len(paths)) if n % (train + test) >= train]):
        label, index = divmod(number, train + test)
        bird, path, origin = species(label), Path(paths[number]), [seed, label, index]
        mask = draw_scene(bird, size, np.random.default_rng(origin)).part_mask
        mask.save(_made(root / MASKS / path.with_suffix('.png')))
        rng = np.random.default_rng([*origin, 1])  # no picture is drawn from this one
        swapped = other_variants(bird, rng)
        pictures: Iterator = draw_interventions(bird, size, origin, swapped, rng)
        if index < train + SEVERAL:
            pictures = chain(pictures, draw_without_sets(bird, size, origin))
        for folder, picture in pictures:
            picture.save(_made(root / FOLDER / folder / path), quality=95)
        lines += [f'{number + 1} {part} {variant}\n' for part, variant in swapped.items()]
    _write_lines(root / FOLDER / 'swapped.txt', lines)
    classes = range(len(paths) // (train + test))
    variants = ((label, *pair) for label in classes for pair in asdict(species(label)).items())
    lines = [f'{label + 1} {part} {variant}\n' for label, part, variant in variants]
    _write_lines(root / FOLDER / 'variants.txt', lines)


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_bytes(''.join(lines).encode('ascii'))


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
