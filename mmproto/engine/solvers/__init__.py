from mmproto.engine.solvers.sparse_last_layer import SparseLastLayer

__all__ = ['SparseLastLayer']
