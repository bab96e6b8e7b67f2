from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[2] / 'data' / 'golden_metrics'


def golden_metrics(name):
    """The arrays of tests/data/golden_metrics/NAME.npz."""
    return np.load(FOLDER / f'{name}.npz')
