from mmproto.engine.optimizers.constructor import ProtoPNetOptimWrapperConstructor
from mmproto.engine.optimizers.staged_optim_wrapper import StagedOptimWrapper

__all__ = ['ProtoPNetOptimWrapperConstructor', 'StagedOptimWrapper']
