"""Turns a state dict of the reference implementation (cfchen-duke/ProtoPNet) into ours."""

import pickle
from pathlib import Path

import torch
from mmpretrain.registry import MODELS
from torch import Tensor

from mmproto.errors import InputError
from mmproto.utils.checkpoint_file import read_checkpoint

# How a name of the reference's backbone begins, and how timm's name of that weight does. After it
# the two are the same, since both descend from torchvision. So do the feature maps: timm's last
# one is, as the reference's, after VGG's last max pool, ResNet's last stage, and DenseNet's norm5
# with the ReLU behind it.
FAMILIES = {
    'vgg': ('features.features.', 'features_'),
    'resnet': ('features.', ''),
    'densenet': ('features.features.', 'features_'),
}
SIZES = {
    'vgg': ('11', '11_bn', '13', '13_bn', '16', '16_bn', '19', '19_bn'),
    'resnet': ('18', '34', '50', '101', '152'),
    'densenet': ('121', '161', '169', '201'),
}
BACKBONES = {f'{family}{size}': family for family in SIZES for size in SIZES[family]}

TO_STATE_DICT = 'torch.save(torch.load(IN, weights_only=False).state_dict(), OUT)'
SAME_CLASS = 0.9  # share of prototypes whose largest weight is to their class, if none is pruned


def load_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Load a state dict without running any code that the file may hold.

    Raises:
        InputError: If there is no such file, or it holds something else.
    """
    try:
        state = read_checkpoint(str(path))
    except InputError as error:
        if not isinstance(error.__cause__, pickle.UnpicklingError):
            raise
        raise InputError(
            f'{path} is no state dict but perhaps a whole pickled module, which could run code and '
            "is not unpickled here: if you trust it, type in the reference's own environment "
            f'`{TO_STATE_DICT}`'
        ) from None
    # That of a DataParallel model has a prefix.
    return {
        name.removeprefix('module.'): value
        for name, value in state.get('state_dict', state).items()
    }


def our_name(name: str, family: str) -> str:
    """Return the reference's name of a weight, in our state dict."""
    theirs, timms = FAMILIES[family]
    if name.startswith('features.'):
        return f'backbone.timm_model.{timms}{name.removeprefix(theirs)}'
    return f'neck.{name}' if name.startswith('add_on_layers.') else f'head.{name}'


def prototype_classes(last_layer: Tensor) -> tuple[Tensor, bool]:
    """Class of every prototype, which the reference keeps in no state dict.

    Before pruning every class has equally many prototypes, in order. Pruning leaves gaps; then a
    prototype is taken for the class to which its connection is strongest.

    Args:
        last_layer: Weights (num_classes, P).

    Returns:
        The classes (P,), and whether prototypes have been pruned.
    """
    num_classes, count = last_layer.shape
    strongest = last_layer.argmax(dim=0)
    in_order = torch.arange(count) * num_classes // count
    agree = (strongest == in_order).float().mean() >= SAME_CLASS
    if count % num_classes == 0 and agree:
        return in_order, False
    return strongest, True


def model_config(state: dict[str, Tensor], backbone: str, similarity: str = 'log') -> dict:
    """Return the config of the model that has these weights.

    Args:
        state: State dict of the reference.
        backbone: Its name there and in timm, e.g. 'vgg19'.
        similarity: 'log' or 'linear'; the state dict does not say.

    Raises:
        InputError: If the backbone is unknown, or the prototypes or the last layer are missing.
    """
    if backbone not in BACKBONES:
        raise InputError(
            f"backbone={backbone!r} is none of the reference's: choose one of "
            f'{", ".join(BACKBONES)}'
        )
    for name, dimensions in (('prototype_vectors', 4), ('last_layer.weight', 2)):
        if name not in state or state[name].ndim != dimensions:
            raise InputError(
                f'there is no {name} with {dimensions} dimensions in the state dict: give one of '
                "the reference's PPNet"
            )
    num_classes = len(state['last_layer.weight'])
    count, channels, *size = state['prototype_vectors'].shape
    if state['last_layer.weight'].shape[1] != count:
        raise InputError(
            f'last_layer.weight is for {state["last_layer.weight"].shape[1]} prototypes but '
            f'prototype_vectors has {count}: the state dict is not of one model'
        )
    convolutions = [
        name for name in state if name.startswith('add_on_layers.') and 'weight' in name
    ]
    _, pruned = prototype_classes(state['last_layer.weight'])
    return dict(
        type='ProtoPNet',
        backbone=dict(
            type='TIMMBackbone',
            model_name=backbone,
            features_only=True,
            out_indices=(-1,),
            pretrained=False,
        ),
        neck=dict(
            type='ProtoPNetAddOn',
            out_channels=channels,
            # A bottleneck of one pair has the very layers of 'regular'.
            kind='regular' if len(convolutions) == 2 else 'bottleneck',
        ),
        head=dict(
            type='ProtoPNetHead',
            num_classes=num_classes,
            in_channels=channels,
            # The classes of the prototypes that pruning has left come with the checkpoint.
            **(
                dict(prototypes_per_class=None, num_prototypes=count)
                if pruned
                else dict(prototypes_per_class=count // num_classes)
            ),
            prototype_size=size[0] if size[0] == size[1] else tuple(size),
            similarity=similarity,
        ),
    )


def import_reference(
    state: dict[str, Tensor], backbone: str, similarity: str = 'log'
) -> tuple[dict, dict[str, Tensor]]:
    """Turn a state dict of the reference into ours, with the same logits.

    Where the prototypes come from is unknown, hence ``head.prototypes_are_patches`` is False.

    Args:
        state: State dict of the reference.
        backbone: Its name there and in timm, e.g. 'vgg19'.
        similarity: 'log' or 'linear'; the state dict does not say.

    Returns:
        The model's config, and its state dict.

    Raises:
        InputError: If the state dict is not that of a ProtoPNet with this backbone.
    """
    config = model_config(state, backbone, similarity)
    ours = MODELS.build(config).state_dict()
    given = {
        our_name(name, BACKBONES[backbone]): value
        for name, value in state.items()
        if name != 'ones'  # an artefact of how the reference computes distances
    }
    given['head.prototype_class'], _ = prototype_classes(state['last_layer.weight'])
    _check_fit(given, ours, backbone)
    return config, {name: given.get(name, value).to(value.dtype) for name, value in ours.items()}


def _check_fit(given: dict[str, Tensor], ours: dict[str, Tensor], backbone: str) -> None:
    """Weights under our names have to be all those, and in the shapes, of our model."""
    # torch before 0.4.1 did not count batches; of the head :func:`model_config` asks for what the
    # reference has, and the rest, such as where a prototype comes from, is nowhere noted.
    optional = {
        name for name in ours if name.endswith('num_batches_tracked') or name.startswith('head.')
    }
    wrong = {
        'missing': ours.keys() - given.keys() - optional,
        'unknown': given.keys() - ours.keys(),
        'of another shape': {
            name for name in ours.keys() & given.keys() if given[name].shape != ours[name].shape
        },
    }
    if any(wrong.values()):
        found = '; '.join(f'{what}: {_some(names)}' for what, names in wrong.items() if names)
        raise InputError(
            f'the state dict is not that of a ProtoPNet on {backbone}, name its own backbone '
            f'({found})'
        )


def _some(names: set[str], shown: int = 3) -> str:
    rest = f' and {len(names) - shown} more' if len(names) > shown else ''
    return ', '.join(sorted(names)[:shown]) + rest
