"""Which layer of a backbone a parameter belongs to."""

from collections.abc import Iterator
from typing import Any

from torch import nn

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def parameter_layers(backbone: nn.Module) -> dict[str, int]:
    """Return the layer of every parameter of a backbone, counted from the input.

    A backbone of MMPretrain with a ``get_layer_depth`` says it itself. For every other one, of
    timm or MMPretrain:

    - A layer is a module in the order in which the network registers them. Plain containers
      (``Sequential``, ``ModuleList``, ``ModuleDict``) and the stages of a network, which are
      modules that hold a container of several blocks of one class, are opened; blocks are not.
    - What has no matrix (batch norm, scales) belongs to the layer before it, and bare parameters
      (class token, position embedding) as well; if there is none, to the first.

    So a layer is a residual block, a transformer block, or a convolution of VGG.

    Args:
        backbone: The backbone.

    Returns:
        The layer by the parameter's name in the backbone, 0 to the number of layers - 1.
    """
    depths = _declared_depths(backbone)
    if depths is not None:
        layer_of = {depth: layer for layer, depth in enumerate(sorted({*depths.values()}))}
        return {name: layer_of[depth] for name, depth in depths.items()}
    layers: dict[str, int] = {}
    layer = -1
    for names, is_layer in _blocks(*_network(backbone)):
        layer += is_layer
        layers |= dict.fromkeys(names, max(layer, 0))
    # what several blocks share has one name here
    return {name: layers[name] for name, _ in backbone.named_parameters()}


def _declared_depths(backbone: Any) -> dict[str, int] | None:
    """Return what MMPretrain says, None where it does not."""
    if not hasattr(backbone, 'get_layer_depth'):
        return None
    prefix = 'backbone.'
    try:
        return {
            name: backbone.get_layer_depth(prefix + name, prefix)[0]
            for name, _ in backbone.named_parameters()
        }
    except NotImplementedError:  # ResNet knows those from 50 layers on
        return None


def _network(backbone: nn.Module) -> tuple[nn.Module, str]:
    """Return the network and the prefix of its names, out of what is only wrapped around it."""
    network, prefix = backbone, ''
    while not network._parameters and len(children := list(network.named_children())) == 1:
        ((name, network),) = children
        prefix += f'{name}.'
    return network, prefix


def _blocks(
    module: nn.Module, prefix: str, in_stage: bool = False
) -> Iterator[tuple[list[str], bool]]:
    """Return the parameters' names block by block, and whether the block has a matrix."""
    yield [prefix + name for name, _ in module.named_parameters(recurse=False)], False
    for name, child in module.named_children():
        path = f'{prefix}{name}.'
        if isinstance(child, CONTAINERS):
            yield from _blocks(child, path, in_stage)
        elif not in_stage and _is_stage(child):
            yield from _blocks(child, path, in_stage=True)
        else:
            parameters = dict(child.named_parameters())
            has_matrix = any(parameter.ndim > 1 for parameter in parameters.values())
            yield [path + name for name in parameters], has_matrix


def _is_stage(module: nn.Module) -> bool:
    """Whether one of its containers holds several blocks of one class."""
    for container in module.children():
        if isinstance(container, CONTAINERS):
            kinds = [type(block) for block in container.children() if any(block.children())]
            if len(kinds) > len({*kinds}):
                return True
    return False
