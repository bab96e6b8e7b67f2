from collections.abc import Mapping

from mmpretrain.registry import MODELS

from mmproto.errors import InputError
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
    built = MODELS.build(similarity) if isinstance(similarity, Mapping) else similarity
    if not isinstance(built, Similarity):
        raise InputError(
            f'model.head.similarity is a {type(built).__name__}: give a subclass of '
            'mmproto.models.Similarity, such as LogSimilarity'
        )
    return built
