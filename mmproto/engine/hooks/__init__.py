from .checkpoint_hook import PushedCheckpointHook
from .push_hook import PrototypePushHook
from .scheduler_hook import StagedParamSchedulerHook

__all__ = ['PrototypePushHook', 'PushedCheckpointHook', 'StagedParamSchedulerHook']
