from mmproto.models.classifiers.fitted_classifier import FittedClassifier
from mmproto.models.classifiers.linear_classifier import LinearClassifier
from mmproto.models.classifiers.protopnet import ProtoPNet, before_head, unwrap_model

__all__ = ['FittedClassifier', 'LinearClassifier', 'ProtoPNet', 'before_head', 'unwrap_model']
