from .constructor import ProtoPNetOptimWrapperConstructor
from .staged_optim_wrapper import StagedOptimWrapper

__all__ = ['ProtoPNetOptimWrapperConstructor', 'StagedOptimWrapper']
