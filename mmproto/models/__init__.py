from .heads import ProtoPNetHead
from .losses import ProtoPNetLoss
from .necks import ProtoPNetAddOn

__all__ = ['ProtoPNetAddOn', 'ProtoPNetHead', 'ProtoPNetLoss']
