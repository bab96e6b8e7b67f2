from mmproto.evaluation.own_class_points import OwnClassPoints

__all__ = ['OwnClassPoints']
