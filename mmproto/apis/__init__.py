"""What a Python user calls."""

from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.engine.push import PushReport, push_prototypes

__all__ = ['ProtoPNetInferencer', 'PushReport', 'push_prototypes']
