"""Localisation of maps on an object, as Quantus measures it (Hedström et al., JMLR 2023).

Quantus is asked itself, so its values are those that others report.
"""

import numpy as np

from mmproto.utils.extras import need

TOP = 0.05  # share of the pixels that TopKIntersection looks at


def quantus_localisation(maps: np.ndarray, masks: np.ndarray) -> dict[str, np.ndarray]:
    """Measure maps on masks with the metrics of Quantus 0.6, at its defaults.

    - PointingGame: whether a pixel of the highest value is on the object, 1 for a constant map.
    - RelevanceMassAccuracy: share of the map's sum that is on the object, which says something
      of maps without negative values only.
    - AttributionLocalisation: the same of the absolute values.
    - RelevanceRankAccuracy: share of the highest pixels on the object, as many as it has.
    - TopKIntersection: the same of the highest 5 %.
    - AUC: area under the ROC curve when the map tells pixels of the object from others.
    - Sparseness: Gini index of the absolute values, whatever the mask.

    Args:
        maps: Maps (n, H, W), one by one with the masks.
        masks: Bool (n, H, W), True on the object.

    Returns:
        Values (n,) by the names of Quantus' metrics, NaN where the mask is empty. (Quantus means
        to do so, but its PointingGame counts an empty mask as a hit.)

    Raises:
        InputError: If Quantus is not installed.
    """
    need('measures', 'quantus')
    import quantus

    top = int(TOP * maps[0].size)
    metrics = [
        quantus.PointingGame(disable_warnings=True),
        quantus.RelevanceMassAccuracy(disable_warnings=True),
        quantus.RelevanceRankAccuracy(disable_warnings=True),
        quantus.AttributionLocalisation(disable_warnings=True),
        quantus.TopKIntersection(k=top, disable_warnings=True),
        quantus.AUC(disable_warnings=True),
        quantus.Sparseness(disable_warnings=True),
    ]
    values = {type(metric).__name__: np.full(len(maps), np.nan) for metric in metrics}
    seen = masks.any(axis=(1, 2))
    if seen.any():
        greatest = np.abs(maps).max(axis=(1, 2), keepdims=True)
        scaled = (maps / np.where(greatest == 0, 1, greatest))[seen, None]
        for metric in metrics:
            # Not the metric's own call, which divides all maps by one number and lists all their
            # pixels to look for a constant one.
            values[type(metric).__name__][seen] = metric.evaluate_batch(
                x_batch=scaled,  # only its shape matters
                a_batch=np.abs(scaled) if metric.abs else scaled,
                s_batch=masks[seen, None],
            )
    return values
