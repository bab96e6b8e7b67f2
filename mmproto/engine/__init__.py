from mmproto.engine.hooks import (
    PrototypePushHook,
    PrototypeStartHook,
    PushedCheckpointHook,
    SolverHook,
    StagedParamSchedulerHook,
)
from mmproto.engine.log_processor import ShortLogProcessor
from mmproto.engine.loop import StagedTrainLoop
from mmproto.engine.optimizers import (
    BFloat16OptimWrapper,
    ProtoPNetOptimWrapperConstructor,
    StagedOptimWrapper,
)
from mmproto.engine.paper_schedule import PaperSchedule
from mmproto.engine.schedule import Phase, Schedule, build_schedule
from mmproto.engine.solvers import SparseLastLayer
from mmproto.engine.stage import Stage, build_stages

__all__ = [
    'BFloat16OptimWrapper',
    'PaperSchedule',
    'Phase',
    'ProtoPNetOptimWrapperConstructor',
    'PrototypePushHook',
    'PrototypeStartHook',
    'PushedCheckpointHook',
    'Schedule',
    'ShortLogProcessor',
    'SolverHook',
    'SparseLastLayer',
    'Stage',
    'StagedOptimWrapper',
    'StagedParamSchedulerHook',
    'StagedTrainLoop',
    'build_schedule',
    'build_stages',
]
