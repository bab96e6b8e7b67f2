from .hooks import PrototypePushHook, PushedCheckpointHook, StagedParamSchedulerHook
from .loop import StagedTrainLoop
from .optimizers import ProtoPNetOptimWrapperConstructor, StagedOptimWrapper
from .schedule import Schedule, build_schedule

__all__ = [
    'ProtoPNetOptimWrapperConstructor',
    'PrototypePushHook',
    'PushedCheckpointHook',
    'Schedule',
    'StagedOptimWrapper',
    'StagedParamSchedulerHook',
    'StagedTrainLoop',
    'build_schedule',
]
