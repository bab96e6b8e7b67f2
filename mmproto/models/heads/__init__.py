from mmproto.models.heads.protopnet_head import ProtoPNetHead

__all__ = ['ProtoPNetHead']
