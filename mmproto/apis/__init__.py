"""What a Python user calls."""

from mmproto.apis.checked_runner import checked_runner
from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.apis.load_config import load_config
from mmproto.engine.last_checkpoint import last_checkpoint
from mmproto.engine.push import push_prototypes
from mmproto.visualization.prototype_files import write_prototypes

__all__ = [
    'ProtoPNetInferencer',
    'checked_runner',
    'last_checkpoint',
    'load_config',
    'push_prototypes',
    'write_prototypes',
]
