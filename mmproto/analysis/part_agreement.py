"""Whether boxes hold the parts that a data set has annotated."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch.utils.data import Dataset

from mmproto.analysis.model_report import PartAgreement
from mmproto.analysis.nearest_images import Boxes
from mmproto.explanation.geometry import follow
from mmproto.functional import Box


def part_names(dataset: Dataset) -> list[str] | None:
    """Names of the parts that a data set annotates on every image, None if it has none."""
    names = getattr(dataset, 'metainfo', {}).get('part_names')
    known = names and hasattr(dataset, 'pipeline') and 'parts' in dataset.get_data_info(0)
    return list(names) if known else None


def parts_in_input(dataset: Dataset, image: int) -> np.ndarray:
    """Where the parts of an image are in the network's input.

    Args:
        dataset: A data set whose infos have 'parts' (num_parts, 3): x, y in pixels of the
            original image, and whether the part is visible.
        image: Number of the image.

    Returns:
        y and x of every part (num_parts, 2); not numbers for a part that is not visible.
    """
    info = dataset.get_data_info(image)
    x, y, visible = np.array(info['parts'], float).T  # a copy: crops move the info's own
    geometry = follow(dataset.pipeline, info)[2]
    return np.where(visible[:, None] > 0, np.stack(geometry.to_input(y, x), axis=1), np.nan)


def inside(parts: np.ndarray, box: Box) -> np.ndarray:
    """Which parts (num_parts, 2) a box holds: bool (num_parts,)."""
    top, bottom, left, right = box
    y, x = parts.T
    return (top <= y) & (y < bottom) & (left <= x) & (x < right)


def parts_of_images(dataset: Dataset, images: Iterable[int]) -> dict[int, np.ndarray]:
    """:func:`parts_in_input` of several images, by their numbers."""
    images = sorted(set(images))
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return dict(zip(images, pool.map(lambda image: parts_in_input(dataset, image), images)))


def part_agreement(
    activated: np.ndarray,
    boxes: Boxes,
    parts: dict[int, np.ndarray],
    own: list[np.ndarray | None],
) -> PartAgreement:
    """How many boxes of the most activated prototypes hold the parts that they should.

    ``on_object`` is the share of all boxes, one for each image and each of its ten highest-scoring
    prototypes, whatever their classes, that hold at least one visible part. Parts are points: a box
    between two of them may lie on the object and hold none.

    ``on_same_part`` leaves out the prototypes whose own training patch holds no visible part; of
    the boxes that remain it is the share that hold at least one of the parts in the training patch,
    visible on the test image as well. A part that is hidden on the test image counts against the
    box.

    ``chance_on_object`` and ``chance_on_same_part`` are the same of the same boxes, each laid on
    the test image that comes half the data set later: what size and place alone bring about.

    Args:
        activated: The highest-scoring prototypes of every test image (N, 10).
        boxes: Their boxes, by image and prototype.
        parts: Where the parts of every test image are (num_parts, 2), not numbers for hidden ones.
        own: Which visible parts the training patch of every prototype holds; None for a prototype
            without one.

    Returns:
        The shares; not a number where there is no box to ask.
    """
    images = len(activated)

    def shares(shift: int) -> tuple[float, float]:
        on_object, on_same_part = [], []
        for image, prototypes in enumerate(activated.tolist()):
            for prototype in prototypes:
                held = inside(parts[(image + shift) % images], boxes[image, prototype])
                on_object.append(held.any())
                if own[prototype] is not None and own[prototype].any():
                    on_same_part.append((held & own[prototype]).any())
        return _share(on_object), _share(on_same_part)

    return PartAgreement(images, *shares(0), *shares(images // 2))


def _share(answers: list[bool]) -> float:
    return float(np.mean(answers)) if answers else float('nan')
