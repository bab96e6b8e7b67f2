from mmproto.models.heads.moved_prototypes import ASSUMPTIONS, MovedPrototypes, MoveEffect
from mmproto.models.heads.multi_label_head import MultiLabelProtoPNetHead
from mmproto.models.heads.protopnet_head import ProtoPNetHead

__all__ = [
    'ASSUMPTIONS',
    'MoveEffect',
    'MovedPrototypes',
    'MultiLabelProtoPNetHead',
    'ProtoPNetHead',
]
