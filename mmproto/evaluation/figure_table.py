"""Figures as a table for people and a file for programs."""

import math
from collections.abc import Sequence
from pathlib import Path

import mmengine
import numpy as np

from mmproto.evaluation.figure import Figure
from mmproto.utils.files import whole_file

HEADS = ('figure', 'value', '95 % interval', 'chance', 'what it means')


def figure_table(figures: Sequence[Figure]) -> str:
    """Return a table in Markdown, an arrow at every figure says which way is better."""
    rows = [HEADS, ('---', '---:', '---', '---', '---')]
    for figure in figures:
        arrow = '↑' if figure.higher_is_better else '↓'
        chance = ', '.join(f'{name} {number(value)}' for name, value in figure.chance.items())
        title = f'{figure.title} {arrow}'
        rows.append((title, value_of(figure), interval_of(figure), chance, figure.meaning))
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def figures_in_words(figures: Sequence[Figure]) -> str:
    """Return a line for each figure, for a terminal."""
    width = max(len(figure.title) for figure in figures)
    lines = []
    for figure in figures:
        ends = interval_of(figure) and f'({interval_of(figure)})'
        chance = ', '.join(f'{name} {number(value)}' for name, value in figure.chance.items())
        line = f'{figure.title:{width}}  {value_of(figure):>6}  {ends:17}  {chance}'
        lines.append(line.rstrip())
    return '\n'.join(lines)


def number(value: float, decimals: int = 3) -> str:
    """Say a figure; a dash where nothing could be measured."""
    return '-' if math.isnan(value) else f'{value:.{decimals}f}'


def value_of(figure: Figure) -> str:
    """Say how large a figure is."""
    return number(figure.estimate.value, figure.decimals)


def interval_of(figure: Figure) -> str:
    """Say the confidence interval of a figure; nothing where it has none."""
    _, low, high = figure.estimate
    if math.isnan(low):
        return ''
    return f'{number(low, figure.decimals)} to {number(high, figure.decimals)}'


def worst_prototypes(figure: Figure, count: int = 3) -> list[int]:
    """Return the prototypes with the worst figures, the worst first."""
    if figure.of_prototypes is None:
        return []
    values = figure.of_prototypes if figure.higher_is_better else -figure.of_prototypes
    order = np.argsort(values, kind='stable')[: np.count_nonzero(~np.isnan(values))]
    return order[:count].tolist()


def write_figures(
    figures: Sequence[Figure], missing: Sequence[str], images: int, passes: int, folder: Path
) -> None:
    """Write ``explanations.json`` and ``explanations.md``.

    Args:
        figures: The figures.
        missing: What could not be measured for want of annotations.
        images: How many images were looked at.
        passes: What that cost in forward passes of an image.
        folder: Where they go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = dict(
        images=images,
        forward_passes=passes,
        missing=list(missing),
        figures={one.name: _as_data(one) for one in figures},
    )
    with whole_file(folder / 'explanations.json') as file:
        mmengine.dump(data, file, indent=1)
    lacking = f'\n\nNot measured for want of annotations: {", ".join(missing)}.' if missing else ''
    text = f'{figure_table(figures)}\n\n{images} images, {passes} forward passes.{lacking}\n'
    with whole_file(folder / 'explanations.md') as file:
        file.write_text(text, encoding='utf-8')


def _as_data(figure: Figure) -> dict:
    def plain(value: float) -> float | None:
        return None if math.isnan(value) else value

    of_prototypes = figure.of_prototypes
    return dict(
        title=figure.title,
        value=plain(figure.estimate.value),
        low=plain(figure.estimate.low),
        high=plain(figure.estimate.high),
        chance={name: plain(value) for name, value in figure.chance.items()},
        higher_is_better=figure.higher_is_better,
        meaning=figure.meaning,
        of_prototypes=None if of_prototypes is None else [*map(plain, of_prototypes.tolist())],
    )
