from mmproto.models.classifiers import (
    FittedClassifier,
    LinearClassifier,
    ProtoPNet,
    before_head,
    unwrap_model,
)
from mmproto.models.heads import MultiLabelProtoPNetHead, ProtoPNetHead
from mmproto.models.last_layers import BlockSparseLastLayer, DenseLastLayer, LastLayer
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
    'BlockSparseLastLayer',
    'CosineSimilarity',
    'DenseLastLayer',
    'EuclideanSimilarity',
    'FittedClassifier',
    'HeadOutputs',
    'LastLayer',
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
