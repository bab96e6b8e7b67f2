# default_runtime.py for a classifier that has neither stages nor prototypes.
_base_ = './default_runtime.py'

default_hooks = dict(
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='ResumableCheckpointHook'),
)
custom_hooks = [dict(type='FiniteHook'), dict(type='DiskSpaceHook'), dict(type='SplitCheckHook')]
find_unused_parameters = False
