from mmproto.models.classifiers import (
    FittedClassifier,
    LinearClassifier,
    ProtoPNet,
    before_head,
    unwrap_model,
)
from mmproto.models.heads import MultiLabelProtoPNetHead, ProtoPNetHead
from mmproto.models.losses import LossTerm, ProtoPNetLoss
from mmproto.models.necks import ProtoPNetAddOn
from mmproto.models.outputs import HeadOutputs
from mmproto.models.similarities import (
    CosineSimilarity,
    EuclideanSimilarity,
    LinearSimilarity,
    LogSimilarity,
    Metric,
    Similarity,
)

__all__ = [
    'CosineSimilarity',
    'EuclideanSimilarity',
    'FittedClassifier',
    'HeadOutputs',
    'LinearClassifier',
    'LinearSimilarity',
    'LogSimilarity',
    'LossTerm',
    'Metric',
    'MultiLabelProtoPNetHead',
    'ProtoPNet',
    'ProtoPNetAddOn',
    'ProtoPNetHead',
    'ProtoPNetLoss',
    'Similarity',
    'before_head',
    'unwrap_model',
]
