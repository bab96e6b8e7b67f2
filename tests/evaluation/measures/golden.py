"""The figures of other projects' own code on the demo model."""

import numpy as np

from tests.toy import DATA


def golden_metrics(name):
    """The arrays of a golden file of metrics."""
    return np.load(DATA / 'golden_metrics' / f'{name}.npz')
