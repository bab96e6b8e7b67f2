# The recipe of the reference on the demo's birds, to be compared with resnet10t_birds.py: its
# similarity, pushes, trained last layer and augmentation. See docs/explanations.md.
_base_ = [
    '../_base_/models/protopnet_timm.py',
    '../_base_/datasets/birds.py',
    '../_base_/schedules/protopnet.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(model_name='resnet10t', out_indices=(-2,), pretrained=False),
    neck=dict(out_channels=64),
    head=dict(num_classes=12, in_channels=64, prototypes_per_class=5),
)
train_pipeline = [step for step in _base_.train_pipeline if step.type != 'ColorJitter']
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
optim_wrapper = dict(
    schedule=dict(warm_epochs=5, epochs=30, push_epochs=[10, 20, 29]),
    stages=dict(joint=dict(backbone=dict(lr=1e-3))),  # nothing is pretrained
)
train_cfg = dict(val_interval=5)
randomness = dict(seed=0)
