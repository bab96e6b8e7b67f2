from mmproto.engine.hooks.checkpoint_hook import PushedCheckpointHook
from mmproto.engine.hooks.push_hook import PrototypePushHook
from mmproto.engine.hooks.scheduler_hook import StagedParamSchedulerHook

__all__ = ['PrototypePushHook', 'PushedCheckpointHook', 'StagedParamSchedulerHook']
