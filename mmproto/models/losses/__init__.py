from mmproto.models.losses.protopnet_loss import ProtoPNetLoss

__all__ = ['ProtoPNetLoss']
