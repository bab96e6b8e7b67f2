from mmproto.engine.hooks import PrototypePushHook, PushedCheckpointHook, StagedParamSchedulerHook
from mmproto.engine.loop import StagedTrainLoop
from mmproto.engine.optimizers import ProtoPNetOptimWrapperConstructor, StagedOptimWrapper
from mmproto.engine.schedule import Schedule, build_schedule

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
