from collections.abc import Mapping

from torch import Tensor

from mmproto.errors import InputError
from mmproto.models.build import build_subclass, spelt_out
from mmproto.models.last_layers.last_layer import LastLayer

SHORT_FORMS = dict(dense='DenseLastLayer', block_sparse='BlockSparseLastLayer')


def build_last_layer(
    last_layer: str | Mapping,
    prototype_class: Tensor,
    num_classes: int,
    other_class_weight: float,
    classless: bool,
) -> LastLayer:
    """Build ``model.head.last_layer``.

    Args:
        last_layer: A short form, or the config of a registered :class:`LastLayer`.
        prototype_class: Class of each prototype (P,), -1 for none.
        num_classes: Number of classes.
        other_class_weight: First weight to classes that are not a prototype's own.
        classless: Whether prototypes have no class.

    Raises:
        InputError: If the short form is unknown, what is built is no :class:`LastLayer`, or it
            does not suit the prototypes.
    """
    example = "dict(type='DenseLastLayer')"
    last_layer = spelt_out(last_layer, 'model.head.last_layer', SHORT_FORMS, example)
    if not isinstance(last_layer, Mapping):
        raise InputError(
            f'model.head.last_layer={last_layer!r}: choose one of {sorted(SHORT_FORMS)}, '
            f'or give {example}'
        )
    given = dict(
        prototype_class=prototype_class,
        num_classes=num_classes,
        other_class_weight=other_class_weight,
        classless=classless,
    )
    try:
        return build_subclass({**last_layer, **given}, LastLayer)
    except InputError as error:
        raise InputError(f'model.head.last_layer.{error}') from None
