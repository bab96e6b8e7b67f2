"""Shows the path of the last layer: a table in the terminal, a page with a plot."""

from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from mmproto.analysis.last_layer_path import LastLayerPath, PathPoint
from mmproto.utils.files import whole_file
from mmproto.visualization.explanation_page import templates

COLUMNS = (
    'l1_weight',
    'connections',
    'accuracy %',
    'own points %',
    'objective',
    'residual',
    'steps',
)
GREY, BLUE, GREEN = '#8a929c', '#3b7dd8', '#2f9e5b'


def print_path(path: LastLayerPath) -> None:
    """Print the path as a table, the recommended price in bold and marked by a star."""
    title = f'Held out: {path.images} images, {path.origin}'
    table = Table(*COLUMNS, box=SIMPLE, pad_edge=False, collapse_padding=True, title=title)
    for column in table.columns:
        column.justify, column.no_wrap = 'right', True
    for point in path.points:
        chosen = point is path.recommended
        price, *others = path_row(point)
        table.add_row(f'* {price}' if chosen else price, *others, style='bold' if chosen else '')
    Console().print(table)


def path_row(point: PathPoint) -> list[str]:
    """Return what a table says of one price, by :data:`COLUMNS`."""
    return [
        f'{point.l1_weight:.2e}',
        str(point.connections),
        f'{100 * point.accuracy:.2f}',
        f'{100 * point.own_fraction:.1f}',
        f'{point.objective:.5f}',
        f'{point.residual:.1e}',
        str(point.iterations),
    ]


def write_path(path: LastLayerPath, checkpoint: str, file: Path) -> None:
    """Write a page with a plot of the path, its table and the recommended price.

    Args:
        path: The path.
        checkpoint: What to call the model.
        file: Where the page goes.
    """
    page = templates().get_template('last_layer_path.html.j2').render(
        path=path,
        checkpoint=checkpoint,
        columns=COLUMNS,
        rows=[(point is path.recommended, path_row(point)) for point in path.points],
        plot=_plot(path),
    )  # fmt: skip
    with whole_file(file) as part:
        part.write_text(page, encoding='utf-8')


def _plot(path: LastLayerPath) -> str:
    """Draw accuracy and own-class points by the number of connections, as HTML with its script."""
    from plotly import graph_objects as go  # of the extra 'explain'

    connections = np.array([point.connections for point in path.points])
    where = np.log10(1 + connections)  # a logarithm that has a place for none
    lines = {
        'accuracy on held-out images': (BLUE, [100 * point.accuracy for point in path.points]),
        'points of the own class': (GREY, [100 * point.own_fraction for point in path.points]),
    }
    figure = go.Figure()
    for name, (colour, values) in lines.items():
        figure.add_scatter(
            x=where,
            y=values,
            name=name,
            mode='lines+markers',
            line=dict(color=colour),
            customdata=[(p.connections, f'{p.l1_weight:.2e}') for p in path.points],
            hovertemplate='%{y:.2f} %, %{customdata[0]} connections, '
            'l1_weight=%{customdata[1]}<extra></extra>',
        )
    best, error = 100 * path.best_accuracy, 100 * path.standard_error
    figure.add_hrect(y0=best - error, y1=best, fillcolor=BLUE, opacity=0.15, line_width=0)
    figure.add_vline(
        x=float(np.log10(1 + path.recommended.connections)),
        line=dict(color=GREEN, dash='dash'),
        annotation=dict(text='recommended', font_color=GREEN),
    )
    ticks = [0, *(10**power for power in range(int(where.max()) + 1))]
    figure.update_layout(
        template='none',
        paper_bgcolor='rgba(0,0,0,0)',
        plot_bgcolor='rgba(0,0,0,0)',
        font_color=GREY,
        legend=dict(orientation='h', y=1.1),
        margin=dict(l=60, r=20, t=50, b=60),
    )
    figure.update_xaxes(
        title='connections to other classes',
        tickvals=np.log10(1 + np.array(ticks)),
        ticktext=ticks,
        gridcolor=f'{GREY}40',
        zeroline=False,
    )
    figure.update_yaxes(title='%', gridcolor=f'{GREY}40')
    return figure.to_html(
        dict(displayModeBar=False),
        full_html=False,
        include_plotlyjs=True,
        default_height='28rem',
    )
