from mmproto.models.losses.binary_cross_entropy_cost import BinaryCrossEntropyCost
from mmproto.models.losses.cluster_cost import ClusterCost
from mmproto.models.losses.cross_entropy_cost import CrossEntropyCost
from mmproto.models.losses.l1_cost import L1Cost
from mmproto.models.losses.loss_term import LossTerm
from mmproto.models.losses.protopnet_loss import ProtoPNetLoss, build_loss
from mmproto.models.losses.prototype_contrast_cost import PrototypeContrastCost
from mmproto.models.losses.separation_cost import SeparationCost

__all__ = [
    'BinaryCrossEntropyCost',
    'ClusterCost',
    'CrossEntropyCost',
    'L1Cost',
    'LossTerm',
    'ProtoPNetLoss',
    'PrototypeContrastCost',
    'SeparationCost',
    'build_loss',
]
