from mmproto.models.classifiers.protopnet import ProtoPNet, unwrap_model

__all__ = ['ProtoPNet', 'unwrap_model']
