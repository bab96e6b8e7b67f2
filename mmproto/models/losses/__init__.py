from .protopnet_loss import ProtoPNetLoss

__all__ = ['ProtoPNetLoss']
