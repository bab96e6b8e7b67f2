from .protopnet_head import ProtoPNetHead

__all__ = ['ProtoPNetHead']
