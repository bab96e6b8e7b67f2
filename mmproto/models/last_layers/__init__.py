from mmproto.models.last_layers.block_sparse_last_layer import BlockSparseLastLayer
from mmproto.models.last_layers.build import build_last_layer
from mmproto.models.last_layers.dense_last_layer import DenseLastLayer
from mmproto.models.last_layers.last_layer import LastLayer

__all__ = ['BlockSparseLastLayer', 'DenseLastLayer', 'LastLayer', 'build_last_layer']
