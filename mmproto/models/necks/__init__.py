from .add_on import ProtoPNetAddOn

__all__ = ['ProtoPNetAddOn']
