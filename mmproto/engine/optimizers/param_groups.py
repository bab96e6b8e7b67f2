from collections import defaultdict
from collections.abc import Mapping

from torch import nn

from mmproto.engine.stage import GROUPS, Stage
from mmproto.errors import InputError
from mmproto.models import ProtoPNet
from mmproto.models.backbones.layers import parameter_layers


def group_of(name: str) -> str:
    """Return the group of a classifier's parameter."""
    if name.startswith('head.'):
        return 'last_layer' if name.startswith('head.last_layer.') else 'prototypes'
    return name.split('.')[0]


def trainable_groups(model: ProtoPNet) -> dict[str, list[nn.Parameter]]:
    """Return the parameters of a classifier that are not frozen, by the name of their group."""
    groups: dict[str, list[nn.Parameter]] = {name: [] for name in GROUPS}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[group_of(name)].append(parameter)
    return groups


def stage_param_groups(name: str, stage: Stage, model: ProtoPNet) -> list[dict]:
    """PyTorch's parameter groups of a stage, each with the ``name`` of its group of the stage.

    With ``layer_decay`` the backbone has one for every layer, whose ``lr_scale`` its learning
    rate is to be multiplied by: 1 for the last layer, ``layer_decay`` for the one before it, and
    so on.

    Args:
        name: Name of the stage.
        stage: The stage.
        model: The classifier.

    Raises:
        InputError: If there is nothing to train, or ``frozen_layers`` or ``layer_decay`` cannot
            be.
    """
    groups = trainable_groups(model)
    params = []
    for group, settings in stage.groups.items():
        options = dict(settings)
        frozen, decay = options.pop('frozen_layers', 0), options.pop('layer_decay', 1)
        parts: Mapping[float, list[nn.Parameter]] = {1: groups[group]}
        if frozen or decay != 1:
            place = f'optim_wrapper.stages.{name}.{group}'
            parts = _backbone_layers(place, model.backbone, frozen, decay)
        params += [
            dict(params=part, name=group, lr_scale=scale, **options)
            for scale, part in parts.items()
            if part
        ]
    if not params:
        raise InputError(
            f'optim_wrapper.stages.{name} has nothing to train: name a group that has '
            'parameters and is not frozen'
        )
    return params


def _backbone_layers(
    place: str, backbone: nn.Module, frozen: int, decay: float
) -> Mapping[float, list[nn.Parameter]]:
    """Return the backbone's parameters that train, by the fraction of the learning rate."""
    layers = parameter_layers(backbone)
    last = max(layers.values())
    if type(frozen) is not int or not 0 <= frozen <= last:
        raise InputError(
            f'{place}.frozen_layers={frozen!r}: the backbone has {last + 1} layers, give an '
            f'integer from 0 to {last}; to freeze them all, leave the backbone out of the stage'
        )
    if not isinstance(decay, (int, float)) or not 0 < decay <= 1:
        raise InputError(f'{place}.layer_decay={decay!r}: give a number above 0, at most 1')
    parts = defaultdict(list)
    for name, parameter in backbone.named_parameters():
        if parameter.requires_grad and layers[name] >= frozen:
            parts[decay ** (last - layers[name])].append(parameter)
    return parts
