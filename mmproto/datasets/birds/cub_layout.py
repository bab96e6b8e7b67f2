"""Writes rendered birds as CUB-200-2011 lays out its folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from .drawing import CUB_PARTS
from .interventions import write_interventions
from .scene import Scene, draw_scene
from .species import MAX_SPECIES, species

MIN_SIZE = 64  # below, legs and beaks get lost between pixels
MAX_SIZE = 1024


def make_birds(
    out: str | os.PathLike,
    classes: int = 12,
    train: int = 60,
    test: int = 20,
    size: int = 128,
    seed: int = 0,
    interventions: bool = False,
    track: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> Path:
    """Draws a data set of birds into a new folder, all of it or nothing.

    The same arguments give the same bytes. Picture k of a class depends on the seed, the class and
    the size alone, so asking for more classes or more pictures keeps those there are.

    Args:
        out: The folder to make; it may exist if it is empty.
        classes: How many species, 2 to `MAX_SPECIES`.
        train: Training pictures a class.
        test: Test pictures a class.
        size: The side of a picture in pixels.
        seed: What the pictures are drawn from, 0 or more.
        interventions: Adds for every test picture its part mask (`Scene.part_mask`) in part_masks,
            and the same scene in interventions/: without/<part>, without one of the bird's parts;
            swapped/<part>, with another species' (which one is in swapped.txt, a line
            ``<image id> <part> <variant>`` each); background, with another background; and for the
            first 5 test pictures of a class without/<part>+<part>..., without each set of parts.
            variants.txt has the classes' parts, a line ``<class id> <part> <variant>`` each.
        track: Wraps the picture numbers that are looped over, to show progress.

    Returns:
        The folder.

    Raises:
        ValueError: An argument is out of its range.
        FileExistsError: `out` exists and is no empty folder.
    """
    out = Path(os.path.abspath(out))
    _check('classes', classes, 2, MAX_SPECIES)
    _check('train', train, 1, 9999)
    _check('test', test, 1, 9999)
    _check('size', size, MIN_SIZE, MAX_SIZE)
    _check('seed', seed, 0, 2**63)
    if os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir())):
        raise FileExistsError(f'{out} exists and is not an empty folder')

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{out.name}-', dir=out.parent) as scratch:
        root = Path(scratch) / out.name
        root.mkdir()
        _write(root, classes, train, test, size, seed, track)
        if interventions:
            write_interventions(root, train, test, size, seed, track)
        if out.exists():
            out.rmdir()
        root.rename(out)
    return out


def _check(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f'{name} must be from {low} to {high}, not {value}')


def _write(root: Path, classes: int, train: int, test: int, size: int, seed: int, track) -> None:
    kinds = [species(number) for number in range(classes)]
    folders = [f'{number:03d}.{kind.name}' for number, kind in enumerate(kinds, 1)]
    for kind in ('images', 'segmentations'):
        for folder in folders:
            (root / kind / folder).mkdir(parents=True)

    # One list of lines a table.
    images, labels, split, boxes, places = tables = [], [], [], [], []
    for number in track(range(classes * (train + test))):
        label, index = divmod(number, train + test)
        scene = draw_scene(kinds[label], size, np.random.default_rng([seed, label, index]))
        image_id, stem = number + 1, f'{folders[label]}/{kinds[label].name}_{index + 1:04d}'
        scene.image.save(root / 'images' / f'{stem}.jpg', quality=95)
        scene.mask.save(root / 'segmentations' / f'{stem}.png')
        images.append(f'{image_id} {stem}.jpg')
        labels.append(f'{image_id} {label + 1}')
        split.append(f'{image_id} {int(index < train)}')
        boxes.append(f'{image_id} ' + ' '.join(f'{v:.1f}' for v in scene.box))
        places.extend(_part_lines(image_id, scene))

    names = (
        'images',
        'image_class_labels',
        'train_test_split',
        'bounding_boxes',
        'parts/part_locs',
    )
    (root / 'parts').mkdir()
    for name, lines in zip(names, tables):
        _write_lines(root / f'{name}.txt', lines)
    _write_lines(root / 'classes.txt', (f'{n} {folder}' for n, folder in enumerate(folders, 1)))
    _write_lines(root / 'parts/parts.txt', (f'{n} {part}' for n, part in enumerate(CUB_PARTS, 1)))


def _part_lines(image_id: int, scene: Scene) -> Iterable[str]:
    for part_id, part in enumerate(CUB_PARTS, 1):
        x, y = scene.parts.get(part, (0, 0))
        yield f'{image_id} {part_id} {x:.1f} {y:.1f} {int(part in scene.parts)}'


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_bytes(''.join(f'{line}\n' for line in lines).encode('ascii'))
