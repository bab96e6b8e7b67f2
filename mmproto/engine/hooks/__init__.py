from mmproto.engine.hooks.chance_hook import ChanceHook
from mmproto.engine.hooks.checkpoint_hook import PushedCheckpointHook
from mmproto.engine.hooks.disk_space_hook import DiskSpaceHook
from mmproto.engine.hooks.early_stopping_hook import PushedEarlyStoppingHook
from mmproto.engine.hooks.ema_hook import PushedEMAHook
from mmproto.engine.hooks.epoch_seed_hook import EpochSeedHook
from mmproto.engine.hooks.finite_hook import FiniteHook
from mmproto.engine.hooks.frozen_backbone_hook import FrozenBackboneHook
from mmproto.engine.hooks.push_hook import PrototypePushHook
from mmproto.engine.hooks.resumable_checkpoint_hook import ResumableCheckpointHook
from mmproto.engine.hooks.scheduler_hook import StagedParamSchedulerHook
from mmproto.engine.hooks.sharded_prototypes_hook import ShardedPrototypesHook
from mmproto.engine.hooks.solver_hook import SolverHook
from mmproto.engine.hooks.split_check_hook import SplitCheckHook
from mmproto.engine.hooks.start_hook import PrototypeStartHook

__all__ = [
    'ChanceHook',
    'DiskSpaceHook',
    'EpochSeedHook',
    'FiniteHook',
    'FrozenBackboneHook',
    'PrototypePushHook',
    'PrototypeStartHook',
    'PushedCheckpointHook',
    'PushedEMAHook',
    'PushedEarlyStoppingHook',
    'ResumableCheckpointHook',
    'ShardedPrototypesHook',
    'SolverHook',
    'SplitCheckHook',
    'StagedParamSchedulerHook',
]
