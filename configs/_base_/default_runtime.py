custom_imports = dict(imports=['mmproto'], allow_failed_imports=False)
default_scope = 'mmpretrain'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    param_scheduler=dict(type='StagedParamSchedulerHook'),
    # The best checkpoint is one whose prototypes are training patches.
    checkpoint=dict(type='PushedCheckpointHook', interval=1, max_keep_ckpts=3, save_best='auto'),
    sampler_seed=dict(type='EpochSeedHook'),
    visualization=dict(type='VisualizationHook', enable=False),
)
custom_hooks = [
    dict(type='DiskSpaceHook'),
    dict(type='FiniteHook'),
    dict(type='SplitCheckHook'),
    dict(type='ChanceHook'),
    dict(type='PrototypePushHook'),
    dict(type='SolverHook'),
    dict(type='PrototypeVisualizationHook'),
    dict(type='ExplanationHook'),
]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
# The stages freeze parameters after the model is wrapped.
find_unused_parameters = True

visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
log_processor = dict(type='ShortLogProcessor')
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=None, deterministic=False)
