"""What a page shows of an explanation: names, figures, boxes and small pictures."""

import numpy as np

from mmproto.explanation.explanation import ClassEvidence, Match
from mmproto.explanation.image_explanation import ImageExplanation
from mmproto.visualization.drawing import data_uri, heat_on_seen, thumbnail
from mmproto.visualization.prototype_images import Gallery

SIDE = 480
THUMBNAIL = 160


def prototype_thumbnails(gallery: Gallery, prototype: int) -> dict[str, np.ndarray] | None:
    """The pictures of a prototype, no larger than a page shows them; None if there are none."""
    pictures = gallery.pictures(prototype)
    if pictures is None:
        return None
    return {
        name: thumbnail(getattr(pictures, name), THUMBNAIL) for name in ('image', 'crop', 'heat')
    }


def shown_picture(
    one: ImageExplanation, side: int = SIDE, again: ImageExplanation | None = None
) -> dict:
    """A picture with its explanation, for a template.

    Args:
        one: The explained picture.
        side: Longer side of the picture that is put into the page, in pixels.
        again: The same by another attribution, whose heat maps are shown as well.
    """
    picture = thumbnail(one.picture, side)
    explanation = one.explanation
    predicted = explanation.predicted
    return dict(
        name=one.name,
        path=one.path,
        uri=data_uri(picture),
        height=one.picture.shape[0],
        width=one.picture.shape[1],
        predicted=one.class_name(predicted),
        probability=float(explanation.probabilities[predicted]),
        truth=None if one.truth is None else one.class_name(one.truth),
        right=one.truth == predicted,
        rival_question=one.rival_question,
        explained=_shown_evidence(one, explanation.explained, again),
        rival=_shown_evidence(one, explanation.rival, again),
        most_similar=[_shown_match(one, match) for match in explanation.most_similar],
        attribution=explanation.attribution.replace('_', ' '),
    )


def heat_thumbnail(one: ImageExplanation, match: Match) -> np.ndarray:
    """The picture, small, under what matters in it to the match's prototype."""
    return heat_on_seen(thumbnail(one.picture, THUMBNAIL), one.geometry, match.activation)


def _shown_evidence(
    one: ImageExplanation, evidence: ClassEvidence, again: ImageExplanation | None
) -> dict:
    def heats(match: Match) -> list[dict]:
        """The match's heat map, and that of the same prototype by the other attribution."""
        same = [] if again is None else [m for m in again.matches if m.prototype == match.prototype]
        pairs = [(one, match), *((again, other) for other in same[:1])]
        return [
            dict(
                by=explained.explanation.attribution.replace('_', ' '),
                uri=data_uri(heat_thumbnail(explained, shown)),
            )
            for explained, shown in pairs
        ]

    return dict(
        name=one.class_name(evidence.label),
        logit=evidence.logit,
        probability=evidence.probability,
        matches=[{**_shown_match(one, match), 'heats': heats(match)} for match in evidence.matches],
        shown=sum(match.points for match in evidence.matches),
        rest=evidence.rest,
        error=evidence.error,
    )


def _shown_match(one: ImageExplanation, match: Match) -> dict:
    top, bottom, left, right = one.box_on_display(match)
    return dict(
        prototype=match.prototype,
        of_class=one.class_name(match.label),
        similarity=match.similarity,
        weight=match.weight,
        points=match.points,
        x=left,
        y=top,
        width=right - left,
        height=bottom - top,
    )
