from mmpretrain.models import ImageClassifier

from mmproto.errors import InputError


def check_one_class(model: ImageClassifier, what: str) -> None:
    """Raise an InputError for a network that predicts any number of classes of an image.

    Args:
        model: The classifier.
        what: What there is for networks of one class an image alone, such as 'a report'.
    """
    if not getattr(model.head, 'predicts_one_class', True):
        raise InputError(
            f'model.head is a {type(model.head).__name__}, which predicts any number of classes '
            f'of an image: {what} is for networks that predict one'
        )
