# What a ProtoPNet on images of your own is compared with.
_base_ = [
    '../_base_/models/baseline_timm.py',
    '../_base_/datasets/folder.py',
    '../_base_/schedules/baseline.py',
    '../_base_/baseline_runtime.py',
]

model = dict(
    norm_eval=True,  # as in the ProtoPNet's stages
    backbone=dict(model_name='resnet34.tv_in1k', in_channels=_base_.in_channels),
    head=dict(num_classes=_base_.num_classes),
)
train_cfg = dict(max_epochs=10)
