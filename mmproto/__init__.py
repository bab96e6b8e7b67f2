"""ProtoPNet for MMPretrain: ``import mmproto`` makes everything known to MMPretrain's registries.

Where MMPretrain is not installed, :mod:`mmproto.functional` is there alone.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from mmproto.utils.extras import MMPRETRAIN, require_mmpretrain

__version__ = '0.1.0'
__all__ = [
    'analysis',
    'apis',
    'datasets',
    'engine',
    'evaluation',
    'explanation',
    'functional',
    'models',
    'visualization',
]

if find_spec('mmpretrain') is None:
    require_mmpretrain()
elif find_spec('mmcv') is None:
    raise ImportError(f'mmproto needs mmcv: {MMPRETRAIN}')
else:
    from mmproto.compat import apply_workarounds
    from mmproto.model_index import register_models
    from mmproto.registry import add_locations

    apply_workarounds()
    add_locations()
    register_models()


def __getattr__(name: str) -> ModuleType:
    """Import a subpackage when it is first asked for."""
    if name in __all__:
        return import_module(f'mmproto.{name}')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
