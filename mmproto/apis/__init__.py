"""What a Python user calls."""

from mmproto.engine.push import PushReport, push_prototypes

__all__ = ['PushReport', 'push_prototypes']
