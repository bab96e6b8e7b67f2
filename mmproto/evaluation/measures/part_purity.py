"""Part purity: whether the patches that excite a prototype most show one and the same part.

After Nauta et al., "PIP-Net: Patch-Based Intuitive Prototypes for Interpretable Image
Classification" (CVPR 2023), the purity of prototypes. Their protocol: of every prototype the 10
images with the highest score, whatever their class; in each a patch of 32 x 32 pixels of the image
at 224 x 224, at its best cell; left and right parts merged.
"""

from collections.abc import Sequence

import numpy as np

from mmproto.evaluation.measures.part_consistency import best_part_rate, rates_by_prototype


def top_images(
    scores: np.ndarray, image: np.ndarray, prototype: np.ndarray, k: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Pair every prototype with the images of highest score; of equal ones, the first images.

    Args:
        scores: Scores of M pairs of an image and a prototype (M,).
        image: Images of the pairs (M,).
        prototype: Prototypes of the pairs (M,).
        k: How many images, or all if there are fewer.

    Returns:
        Images and prototypes of the pairs that are left, by prototype, the highest score first.
    """
    order = np.lexsort((image, -scores, prototype))
    image, prototype = image[order], prototype[order]
    rank = np.arange(len(order)) - np.searchsorted(prototype, prototype)
    return image[rank < k], prototype[rank < k]


class HighScores:
    """The k highest scores of every prototype so far, by which most images can be forgotten.

    Args:
        prototypes: How many prototypes there are.
        k: How many scores are kept of each.
    """

    def __init__(self, prototypes: int, k: int = 10) -> None:
        self.highest = np.full((k, prototypes), -np.inf)

    def meet(self, scores: np.ndarray) -> np.ndarray:
        """Return which prototypes (P,) an image of scores (P,) may be among the k images of."""
        lowest = self.highest.argmin(axis=0)
        prototypes = np.arange(len(scores))
        at_least = scores >= self.highest[lowest, prototypes]
        self.highest[lowest[at_least], prototypes[at_least]] = scores[at_least]
        return at_least


def patch_boxes(
    cells: np.ndarray, grid: tuple[int, int], size: int = 224, patch: int = 32
) -> np.ndarray:
    """Give every cell of a feature map a patch of the same size, whatever its receptive field.

    Patches begin a whole number of pixels apart, and the last ends with the image.

    Args:
        cells: Rows and columns (..., 2).
        grid: Height and width of the feature map, two cells or more.
        size: Height and width of the image in pixels.
        patch: Height and width of a patch in pixels.

    Returns:
        Top, bottom, left, right (..., 4). PIP-Net counts a part that lies on the lower or right
        edge: bottom and right are the next number after it, which is not inside.
    """
    last, end = np.array(grid) - 1, size - patch
    first = np.where(cells == last, end, np.minimum(cells * np.rint(end / last), end))
    beyond = np.nextafter(first + patch, np.inf)
    return np.stack([first[..., 0], beyond[..., 0], first[..., 1], beyond[..., 1]], axis=-1)


def merge_sides(values: np.ndarray, part_names: Sequence[str]) -> np.ndarray:
    """Take parts that differ in 'left' and 'right' for one, which has what either has.

    Args:
        values: What parts have, such as being visible: bool (..., num_parts).
        part_names: Names of the parts.

    Returns:
        Bool (..., num_merged), in the order of the names' first parts.
    """
    names = [name.removeprefix('left ').removeprefix('right ') for name in part_names]
    merged = list(dict.fromkeys(names))
    return values @ (np.array(names)[:, None] == np.array(merged))


def part_purity(
    hit: np.ndarray,
    visible: np.ndarray,
    prototype: np.ndarray,
    num_prototypes: int,
    part_names: Sequence[str],
) -> np.ndarray:
    """How purely each prototype's patches show its purest part.

    Of the patches from images in which a part is visible, the share that hold it; the greatest
    share over the parts. The published figures are the mean over the prototypes and the number of
    prototypes above 0.5. A part that is visible in one image of ten has purity 1 by one hit.

    Args:
        hit: Which parts the patch of each of M pairs of a prototype and an image holds: bool
            (M, num_parts).
        visible: Which parts are visible in the images of the pairs: bool (M, num_parts).
        prototype: Prototypes of the pairs (M,).
        num_prototypes: P.
        part_names: Names of the parts; 'left wing' and 'right wing' are one.

    Returns:
        Purities (P,) in [0, 1]; NaN for a prototype whose images show no part (published as 0).
    """
    hit, visible = merge_sides(hit, part_names), merge_sides(visible, part_names)
    return best_part_rate(rates_by_prototype(hit, visible, prototype, num_prototypes))
