"""Every prototype's score and box in images, as a table for other programs."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.errors import InputError
from mmproto.explanation.explain import every_match
from mmproto.utils.files import check_out_file, whole_file

KINDS = ('.csv', '.json')
COLUMNS = (
    'image', 'predicted_class', 'prototype', 'name', 'class_index', 'class', 'score', 'weight',
    'points', 'row', 'column', 'top', 'bottom', 'left', 'right',
)  # fmt: skip


def prototype_rows(
    inferencer: ProtoPNetInferencer,
    inputs: str | int | Path | np.ndarray | list,
    batch_size: int = 16,
) -> Iterator[dict[str, Any]]:
    """Say where every prototype is found in each image, and what it scores.

    Args:
        inferencer: The model.
        inputs: Images, as the inferencer takes them.
        batch_size: How many images go through the network at once.

    Yields:
        For each image a row of ``COLUMNS`` for each prototype: the image's file or name, the
        prototype's own name and class (None if it has none), its score, the weight of the score in
        the logit of the predicted class and the points they make, which sum to that logit; row
        and column of the cell that scored; and its box in pixels of the original image, ends
        exclusive.

    Raises:
        InputError: For what is no image, before an image goes through the network.
    """
    classes = inferencer.classes
    for batch in inferencer.preprocess(inferencer.listed(inputs), batch_size):
        found = every_match(inferencer.model, inferencer.normalised(batch), inferencer.attribution)
        for one, (label, matches) in zip(batch, found):
            for match in matches:
                of_class = match.prototype_class
                values = (
                    one.path or one.name, classes[label], match.prototype, match.name or None,
                    of_class, classes[of_class] if of_class >= 0 else None, match.score,
                    match.weight, match.points, *match.location,
                    *one.geometry.to_original(match.box),
                )  # fmt: skip
                yield dict(zip(COLUMNS, values))


def check_table_file(file: Path) -> None:
    """Check where a table is to go, before any work.

    Raises:
        InputError: If it is of another kind than CSV and JSON, or its folder is not there.
    """
    if file.suffix not in KINDS:
        raise InputError(f'{file}: give a file that ends in {" or ".join(KINDS)}')
    check_out_file(file)


def write_table(rows: Iterator[dict[str, Any]], file: Path) -> None:
    """Write rows as CSV, or as JSON a list of them, as the file's ending says."""
    with whole_file(file) as part, part.open('w', encoding='utf-8', newline='') as out:
        if file.suffix == '.json':
            json.dump(list(rows), out, indent=1)
        else:
            writer = csv.DictWriter(out, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
