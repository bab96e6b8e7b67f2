from mmproto.evaluation.class_accuracy import ClassAccuracy
from mmproto.evaluation.dump_predictions import DumpPredictions
from mmproto.evaluation.explanation_hook import ExplanationHook
from mmproto.evaluation.explanation_metrics import ExplanationMetrics
from mmproto.evaluation.own_class_points import OwnClassPoints

__all__ = [
    'ClassAccuracy',
    'DumpPredictions',
    'ExplanationHook',
    'ExplanationMetrics',
    'OwnClassPoints',
]
