from mmproto.models.necks.add_on import ProtoPNetAddOn

__all__ = ['ProtoPNetAddOn']
