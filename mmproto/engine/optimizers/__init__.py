from mmproto.engine.optimizers.constructor import ProtoPNetOptimWrapperConstructor
from mmproto.engine.optimizers.mixed_precision import BFloat16OptimWrapper
from mmproto.engine.optimizers.staged_optim_wrapper import StagedOptimWrapper

__all__ = ['BFloat16OptimWrapper', 'ProtoPNetOptimWrapperConstructor', 'StagedOptimWrapper']
