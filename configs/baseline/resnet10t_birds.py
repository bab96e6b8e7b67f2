# What the demo is compared with: the same backbone under a linear head, which needs fewer epochs.
_base_ = [
    '../_base_/models/baseline_timm.py',
    '../_base_/datasets/birds.py',
    '../_base_/schedules/baseline.py',
    '../_base_/baseline_runtime.py',
]

model = dict(
    backbone=dict(model_name='resnet10t', out_indices=(-2,), pretrained=False),
    head=dict(num_classes=12),
)

optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [dict(type='MultiStepLR', milestones=[14, 17], gamma=0.3)]
train_cfg = dict(max_epochs=20, val_interval=5)
default_hooks = dict(logger=dict(interval=12))
randomness = dict(seed=0)
