# What the demo is compared with: the same backbone and epochs, a linear head.
_base_ = [
    '../_base_/datasets/birds.py',
    '../_base_/schedules/baseline.py',
    '../_base_/baseline_runtime.py',
]

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='TIMMBackbone',
        model_name='resnet10t',
        features_only=True,
        out_indices=(-2,),
        pretrained=False,
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=12, in_channels=256),
)

optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [dict(type='MultiStepLR', milestones=[26, 33], gamma=0.3)]
train_cfg = dict(max_epochs=38, val_interval=5)
default_hooks = dict(logger=dict(interval=12))
randomness = dict(seed=0)
