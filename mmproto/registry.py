"""Makes our classes known to MMPretrain's registries, which import them when first asked."""

from mmengine.registry import Registry
from mmpretrain import registry as mmpretrain_registry


def add_locations() -> None:
    """Let each of MMPretrain's registries look into our package of the same name too.

    MMPretrain's own classes are found that way: its ``MODELS`` imports ``mmpretrain.models`` when
    it is first asked for a class, and now ``mmproto.models`` as well. So ``import mmproto`` need
    not wait for torchvision, which the data sets load.
    """
    for registry in vars(mmpretrain_registry).values():
        if isinstance(registry, Registry) and registry.scope == 'mmpretrain':
            ours = [name.replace('mmpretrain', 'mmproto', 1) for name in registry._locations]
            if registry.name == 'hook':
                # The hook that draws, and the one that hands the network to metrics.
                ours += ['mmproto.visualization', 'mmproto.evaluation']
            registry._locations.extend(set(ours).difference(registry._locations))
            registry._imported = False  # it may have been asked already
