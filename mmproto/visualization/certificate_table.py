"""A certification as text for the terminal."""

from torch import Tensor

from mmproto.engine.push_certificate import PushCertificate
from mmproto.models.heads import MoveEffect

ASSUMPTION_TEXTS = dict(
    correct='the prediction is right',
    A1='A1: the nearest patches stay the same',
    A2='A2: the moves are small against the distances',
    A3='A3: all classes have as many prototypes',
    A4='A4: weights are 1 to the own class and 0 to others',
)
QUANTILES = {'least': 0.0, '5 %': 0.05, 'median': 0.5, '95 %': 0.95, 'greatest': 1.0}
WIDTH = 54


def certificate_table(effect: MoveEffect, moves: Tensor) -> str:
    """Lay out what moving the prototypes does to the predictions.

    Args:
        effect: What it does to each image, with the radius.
        moves: How far each prototype moves (P,).
    """
    return '\n'.join([*_counts(PushCertificate.of(effect)), '', *_distances(effect, moves)])


def _counts(counted: PushCertificate) -> list[str]:
    rows = {
        'prediction in fact unchanged': counted.unchanged,
        'certified, following the nearest patches': counted.certified,
        'certified by the sizes of the moves alone': counted.by_moves,
        "certified by the paper's theorem": counted.by_theorem,
    }
    for name, count in (counted.assumptions or {}).items():
        rows[f'  {ASSUMPTION_TEXTS[name]}'] = count
    return [
        f'{text:{WIDTH}}{count:>8}{100 * count / counted.images:>8.1f} %'
        if count is not None
        else f'{text:{WIDTH}}{"log similarity only":>18}'
        for text, count in {'images of the test set': counted.images, **rows}.items()
    ]


def _distances(effect: MoveEffect, moves: Tensor) -> list[str]:
    rows = {
        'all prototypes may move, before a prediction can change': effect.radius,
        'the prototypes move': moves,
    }
    lines = [f'{"distance by which":{WIDTH + 2}}' + ''.join(f'{name:>10}' for name in QUANTILES)]
    for text, values in rows.items():
        if values is not None:
            # By position, since infinite values have no mean.
            ordered = values.sort().values
            figures = [ordered[round(part * (len(ordered) - 1))] for part in QUANTILES.values()]
            lines.append(f'{text:{WIDTH + 2}}' + ''.join(f'{figure:>10.4f}' for figure in figures))
    return lines
