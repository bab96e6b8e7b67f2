from mmproto.evaluation.class_accuracy import ClassAccuracy
from mmproto.evaluation.own_class_points import OwnClassPoints

__all__ = ['ClassAccuracy', 'OwnClassPoints']
