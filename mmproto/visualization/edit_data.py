"""What a report's page carries so that its model can be edited in it."""

from base64 import b64encode

import numpy as np

from mmproto.analysis.model_report import ModelReport

NUMBERS = 2**20  # in one script


def edit_data(report: ModelReport) -> dict:
    """Return what the page's script has to know beside the scores and the weights."""
    editable = report.editable
    return dict(
        model=editable.fingerprint,
        checkpoint=report.checkpoint,
        names=[one.name for one in report.prototypes],
        labels=editable.labels.tolist(),
        scored=editable.scored,
    )


def edit_numbers(report: ModelReport) -> dict[str, list[str]]:
    """Return scores (N, P) and weights (P, K), each in pieces; nothing where they are too many."""
    editable = report.editable
    if editable.scores is None:
        return {}
    arrays = dict(scores=editable.scores, weights=editable.weight.T)
    return {name: in_base64(array) for name, array in arrays.items()}


def in_base64(array: np.ndarray) -> list[str]:
    """Return the numbers of an array, row-major, as little-endian fp32 in base64, in pieces."""
    numbers = array.astype('<f4').ravel()
    pieces = (numbers[i : i + NUMBERS] for i in range(0, len(numbers), NUMBERS))
    return [b64encode(piece.tobytes()).decode() for piece in pieces]
