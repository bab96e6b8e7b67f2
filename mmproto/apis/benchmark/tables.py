"""Costs as tables in Markdown, and as a plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmproto.apis.benchmark.cost import Cost
from mmproto.apis.benchmark.ratios import LINEAR
from mmproto.utils.files import whole_file

Series = Mapping[Any, Mapping[str, Cost]]


def ratio_table(title: str, of: str, series: Series) -> str:
    """Return the costs of networks as ratios to those of a linear head, a row for each setting.

    The memory has columns of its own, which end in MB.

    Args:
        title: What is measured.
        of: What the settings are.
        series: For each setting the costs by the networks' names.
    """
    names = list(next(iter(series.values())))
    others = [name for name in names if name != LINEAR]
    header = [of, f'{LINEAR}, ms', *others, f'{LINEAR}, MB', *(f'{name}, MB' for name in others)]
    rows = []
    for setting, costs in series.items():
        plain = costs[LINEAR]
        seconds = [costs[name].seconds / plain.seconds for name in others]
        memory = [costs[name].megabytes / plain.megabytes for name in others]
        rows.append(
            [
                f'{setting:,}' if isinstance(setting, int) else str(setting),
                f'{1000 * plain.seconds:,.1f}',
                *(f'{ratio:.2f}' for ratio in seconds),
                f'{plain.megabytes:,.0f}',
                *(f'{ratio:.2f}' for ratio in memory),
            ]
        )
    return _table(title, header, rows)


def time_table(title: str, seconds: Mapping[str, float]) -> str:
    """Return seconds, with their ratios to the first of them."""
    floor = next(iter(seconds.values()))
    rows = [[name, f'{value:.3f}', f'{value / floor:.2f}'] for name, value in seconds.items()]
    return _table(title, ['', 's', 'ratio'], rows)


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ['---', *['---:'] * (len(header) - 1)], *rows]
    return '\n'.join([f'{title}:', '', *(f'| {" | ".join(line)} |' for line in lines), ''])


def plot(series: Mapping[str, Series], file: Path) -> None:
    """Draw ratios of time and memory to those of a linear head, by the number of prototypes.

    Args:
        series: For each title of a measurement, its costs by the number of prototypes.
        file: A PNG.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout='constrained')
    panels = figure.subplots(1, 2)
    for panel, what in zip(panels, ('seconds', 'megabytes')):
        for title, costs in series.items():
            ratios = [
                getattr(one['ProtoPNet'], what) / getattr(one[LINEAR], what)
                for one in costs.values()
            ]
            panel.plot([*costs], ratios, marker='o', label=title)
        panel.axhline(1, color='grey', linewidth=0.8)
        panel.set(
            xscale='log',
            ylim=(0, None),
            xlabel='prototypes',
            ylabel=f'{"time" if what == "seconds" else "memory"}, linear head = 1',
        )
        panel.grid(alpha=0.3)
    panels[0].legend()
    with whole_file(file) as part:
        figure.savefig(part, format='png', dpi=100)
