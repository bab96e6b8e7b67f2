from collections.abc import Mapping

from mmproto.errors import InputError
from mmproto.models.build import build_subclass, spelt_out
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
    example = "dict(type='LogSimilarity', ...)"
    config = spelt_out(similarity, 'model.head.similarity', SHORT_FORMS, example)
    try:
        return build_subclass(config, Similarity)
    except InputError as error:
        raise InputError(f'model.head.similarity.{error}') from None
