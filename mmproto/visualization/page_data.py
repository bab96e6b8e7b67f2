"""What a page says of an explanation: names, figures, boxes and small images."""

import numpy as np

from mmproto.datasets.geometry import scaled_box
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.explanation.prediction_explanation import ClassExplanation
from mmproto.explanation.prototype_match import PrototypeMatch
from mmproto.visualization.drawing import data_uri, heat_map_of_input, outline, thumbnail
from mmproto.visualization.prototype_images import Gallery

SIDE = 480
THUMBNAIL = 160


def prototype_thumbnails(gallery: Gallery, prototype: int) -> dict[str, np.ndarray] | None:
    """Return the images of a prototype, no larger than a page shows them, None without."""
    images = gallery.images(prototype)
    if images is None:
        return None
    return {name: thumbnail(getattr(images, name), THUMBNAIL) for name in ('image', 'crop', 'heat')}


def page_data(
    one: ImageExplanation, side: int = SIDE, second: ImageExplanation | None = None
) -> dict:
    """Return an explanation as the macros of ``matches.html.j2`` take it.

    Args:
        one: The explanation.
        side: Longer side of the image that is put into the page, in pixels.
        second: The same by another attribution, whose heat maps are shown as well.
    """
    prediction = one.prediction
    return dict(
        name=one.name,
        path=one.path,
        uri=data_uri(thumbnail(one.image, side)),
        height=one.image.shape[0],
        width=one.image.shape[1],
        seen=_seen_part(one),
        label=prediction.label,
        predicted=one.predicted,
        verdict=one.verdict,
        classes_predicted=len(prediction.predicted),
        probability=float(prediction.probabilities[prediction.label]),
        true_class=None if one.true_class is None else one.class_name(one.true_class),
        correct=one.true_class == prediction.label,
        target_question=target_question(one),
        rival_question=rival_question(one),
        target=_class_data(one, prediction.target, second),
        rival=_class_data(one, prediction.rival, second),
        most_similar=[_match_data(one, match) for match in prediction.most_similar],
        attribution=_attribution(one),
        has_fields=bool(one.fields),
        highest_score=prediction.highest_score,
    )


def target_question(one: ImageExplanation) -> str:
    """Return the question that the points of the explained class answer."""
    return 'Why' if one.prediction.predicted else 'Why not'


def rival_question(one: ImageExplanation) -> str:
    """Return the question that the points of the rival answer."""
    predicted = one.prediction.predicted
    if one.prediction.rival.label not in predicted:
        return 'Why not'
    return 'And why' if one.prediction.target.label in predicted else 'It was taken for: why'


def heat_thumbnail(one: ImageExplanation, match: PrototypeMatch) -> np.ndarray:
    """Return the image, small, under how much its pixels matter to the match's score."""
    return heat_map_of_input(thumbnail(one.image, THUMBNAIL), one.geometry, match.activation)


def _attribution(one: ImageExplanation) -> str:
    return one.prediction.attribution.replace('_', ' ')


def _seen_part(one: ImageExplanation) -> dict:
    """Where the network's input lies in the image, and how many rows and columns it has."""
    top, bottom, left, right = scaled_box(
        one.geometry.input_box, one.geometry.size, one.image.shape[:2]
    )
    rows, columns = one.geometry.input_size
    return dict(x=left, y=top, width=right - left, height=bottom - top, rows=rows, columns=columns)


def _class_data(
    one: ImageExplanation, explained: ClassExplanation, second: ImageExplanation | None
) -> dict:
    second_matches = {} if second is None else {m.prototype: m for m in second.prediction.matches}

    def heats(match: PrototypeMatch) -> list[dict]:
        """Return the match's heat map, and that of the same prototype by the other attribution."""
        pairs = [(one, match)]
        if second is not None and match.prototype in second_matches:
            pairs.append((second, second_matches[match.prototype]))
        return [
            dict(by=_attribution(by), uri=data_uri(heat_thumbnail(by, each))) for by, each in pairs
        ]

    return dict(
        label=explained.label,
        name=one.class_name(explained.label),
        logit=explained.logit,
        probability=explained.probability,
        matches=[{**_match_data(one, match), 'heats': heats(match)} for match in explained.matches],
        by_own_prototypes=explained.by_own_prototypes,
        points=sum(match.points for match in explained.matches),
        rest=explained.rest,
        start=explained.start,
        error=explained.error,
    )


def _match_data(one: ImageExplanation, match: PrototypeMatch) -> dict:
    top, bottom, left, right = one.box_in(one.image, match)
    first_row, last_row, first_column, last_column = one.cell_in(one.image, match)
    field = one.fields.get(match.prototype)
    return dict(
        prototype=match.prototype,
        called=match.name,
        class_name=one.class_name(match.prototype_class),
        score=match.score,
        weight=match.weight,
        points=match.points,
        x=left,
        y=top,
        width=right - left,
        height=bottom - top,
        cell=dict(
            x=first_column,
            y=first_row,
            width=last_column - first_column,
            height=last_row - first_row,
        ),
        field=None if field is None else dict(outline=outline(field.region), in_box=field.in_box),
    )
