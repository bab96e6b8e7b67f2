from collections.abc import Mapping

from mmproto.errors import InputError
from mmproto.models.build import build_subclass
from mmproto.models.similarities.similarity import Similarity

# The short forms of the paper's names, and of those that need no setting.
SHORT_FORMS = dict(log='LogSimilarity', linear='LinearSimilarity', cosine='CosineSimilarity')


def build_similarity(similarity: str | Mapping | Similarity) -> Similarity:
    """Build ``model.head.similarity``.

    Args:
        similarity: A short form, the config of a registered :class:`Similarity`, or one built.

    Raises:
        InputError: If the short form is unknown, or what is built is no :class:`Similarity`.
    """
    if isinstance(similarity, str):
        if similarity not in SHORT_FORMS:
            raise InputError(
                f'model.head.similarity={similarity!r} is unknown: choose one of '
                f"{sorted(SHORT_FORMS)}, or give dict(type='LogSimilarity', ...)"
            )
        similarity = dict(type=SHORT_FORMS[similarity])
    try:
        return build_subclass(similarity, Similarity)
    except InputError as error:
        raise InputError(f'model.head.similarity.{error}') from None
