"""How much of each part boxes hold, where a mask says which part is at each pixel.

Boxes are int arrays (..., 4) in the order of :class:`mmproto.functional.Box`: top, bottom, left and
right, in pixels of the mask; bottom and right are not inside.
"""

import numpy as np


def cell_boxes(
    locations: np.ndarray, map_size: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """Return the pixels that cells of a feature map lie over.

    Args:
        locations: Row and column of cells (..., 2), int.
        map_size: Height and width of the feature map.
        size: Height and width of the input.

    Returns:
        Boxes (..., 4), each the smallest around its cell.
    """
    first = locations * np.array(size) // map_size
    last = -(-(locations + 1) * np.array(size) // map_size)
    return np.stack([first[..., 0], last[..., 0], first[..., 1], last[..., 1]], axis=-1)


def part_areas(part_mask: np.ndarray, boxes: np.ndarray, parts: int) -> np.ndarray:
    """Count the pixels of each part in boxes.

    Args:
        part_mask: The part in sight at each pixel (N, H, W), int: 1 to ``parts``; others, such as
            0 for none, are not counted.
        boxes: P boxes an image (N, P, 4).
        parts: The number of parts.

    Returns:
        Pixels (N, P, parts), int.
    """
    image = np.arange(len(part_mask))[:, None]
    top, bottom, left, right = np.moveaxis(boxes, -1, 0)
    areas = np.empty((*boxes.shape[:2], parts), int)
    for part in range(parts):
        inside = (part_mask == part + 1).cumsum(axis=1).cumsum(axis=2)
        above = np.pad(inside, ((0, 0), (1, 0), (1, 0)))  # pixels above and left of each corner
        areas[..., part] = (
            above[image, bottom, right]
            - above[image, top, right]
            - above[image, bottom, left]
            + above[image, top, left]
        )
    return areas


def shown_parts(areas: np.ndarray) -> np.ndarray:
    """Return the part that each box shows: the one with most pixels in it.

    Args:
        areas: Pixels of each part in each box (N, P, parts).

    Returns:
        Indices of parts (N, P), the first of equals; -1 for a box without any part.
    """
    return np.where(areas.any(axis=-1), areas.argmax(axis=-1), -1)


def part_importances(areas: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the importance of each part, as FunnyBirds reads it off a ProtoPNet's explanation.

    Every pixel of a prototype's box gets the points that the prototype gives the class, and a part
    is worth the sum over its pixels (Hesse et al., FunnyBirds, ICCV 2023, its ProtoPNetExplainer).
    The published code counts each pixel three times, once a channel, and leaves out the last row
    and column of each box.

    Args:
        areas: Pixels of each part in the box of each prototype (N, P, parts).
        points: Score times weight towards the class (N, P); 0 for prototypes of other classes.

    Returns:
        Importances (N, parts), in points times pixels.
    """
    return np.einsum('npk,np->nk', areas, points)


def important_parts(
    part_mask: np.ndarray, boxes: np.ndarray, own: np.ndarray, parts: int, threshold: float
) -> np.ndarray:
    """Which parts an explanation by boxes points at: those that the boxes cover enough of.

    As in FunnyBirds' ProtoPNetExplainer, which however counts what is covered three times, once a
    channel: its threshold is three times the share. It tries 80 from 0.01 to 0.50.

    Args:
        part_mask: The part in sight at each pixel (N, H, W), int: 1 to ``parts``.
        boxes: The box of each prototype (N, P, 4).
        own: Whether a prototype explains the image (N, P), bool: it is one of the class's.
        parts: The number of parts.
        threshold: Share of the part's pixels that has to be exceeded.

    Returns:
        Bool (N, parts); False for a part that is out of sight.
    """
    numbers = np.arange(1, parts + 1)
    important = np.empty((len(part_mask), parts), bool)
    for mask, some, chosen, row in zip(part_mask, boxes, own, important):
        covered = np.zeros(mask.shape, bool)
        for top, bottom, left, right in some[chosen]:
            covered[top:bottom, left:right] = True
        of_part = mask == numbers[:, None, None]
        row[:] = (of_part & covered).sum(axis=(1, 2)) > threshold * of_part.sum(axis=(1, 2))
    return important
