from mmproto.models.heads import ProtoPNetHead
from mmproto.models.losses import ProtoPNetLoss
from mmproto.models.necks import ProtoPNetAddOn

__all__ = ['ProtoPNetAddOn', 'ProtoPNetHead', 'ProtoPNetLoss']
