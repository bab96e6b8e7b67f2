"""The figures of an explanation, as JSON takes them."""

from math import isnan

from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.explanation.prediction_explanation import ClassExplanation
from mmproto.explanation.prototype_match import PrototypeMatch
from mmproto.visualization.prototype_images import Gallery


def explanation_json(one: ImageExplanation, gallery: Gallery) -> dict:
    """Everything that an explanation says, but the image itself; boxes in the original's pixels.

    Args:
        one: The explanation.
        gallery: Knows the training images of the prototypes.
    """

    def class_of(label: int) -> dict:
        return dict(index=label, name=one.classes[label] if label >= 0 else None)

    def field_of(match: PrototypeMatch) -> dict | None:
        field = one.fields.get(match.prototype)
        if field is None:
            return None
        return dict(in_box=_known(field.in_box), in_cell=_known(field.in_cell))

    def match_of(match: PrototypeMatch) -> dict:
        return {
            'prototype': match.prototype,
            'name': match.name or None,
            'class': class_of(match.prototype_class),
            'score': match.score,
            'weight': match.weight,
            'points': match.points,
            'location': match.location,
            'cell': one.cell(match)._asdict(),
            'box': one.box(match)._asdict(),
            'effective_receptive_field': field_of(match),
            'training_image': gallery.path(match.prototype),
        }

    def explanation_of(explained: ClassExplanation) -> dict:
        return {
            'class': class_of(explained.label),
            'logit': explained.logit,
            'probability': explained.probability,
            'matches': [match_of(match) for match in explained.matches],
            'points_of_the_rest': explained.rest,
            'points_at_the_start': explained.start,
        }

    prediction = one.prediction
    return dict(
        image=one.path,
        image_size=one.geometry.size,
        true_class=None if one.true_class is None else class_of(one.true_class),
        predicted_class=class_of(prediction.label) if prediction.predicted else None,
        predicted_classes=[class_of(label) for label in prediction.predicted],
        target=explanation_of(prediction.target),
        rival=explanation_of(prediction.rival),
        most_similar=[match_of(match) for match in prediction.most_similar],
        probabilities=prediction.probabilities.tolist(),
        attribution=prediction.attribution,
        highest_score=prediction.highest_score,
    )


def _known(share: float) -> float | None:
    """Return a share, None for NaN, which JSON does not know."""
    return None if isnan(share) else share
