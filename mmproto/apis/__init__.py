"""What a Python user calls."""

from mmproto.engine.push import PushReport, push_prototypes

from .inferencer import ProtoPNetInferencer

__all__ = ['ProtoPNetInferencer', 'PushReport', 'push_prototypes']
