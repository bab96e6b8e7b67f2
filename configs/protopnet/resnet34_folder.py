# Images of your own: set data_root, the classes follow from it. See docs/your_data.md.
_base_ = [
    '../_base_/models/protopnet_pretrained.py',
    '../_base_/datasets/folder.py',
    '../_base_/schedules/protopnet_pretrained.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(model_name='resnet34.tv_in1k', in_channels=_base_.in_channels),
    head=dict(num_classes=_base_.num_classes),
)

custom_hooks = [*_base_.custom_hooks, dict(type='PrototypeStartHook')]
