# The paper's setting on images of your own, to be compared with resnet34_folder.py: random add-on
# layers and prototypes, batch norm that moves, a trained last layer. See docs/recipe.md.
_base_ = [
    '../_base_/models/protopnet_timm.py',
    '../_base_/datasets/folder.py',
    '../_base_/schedules/protopnet.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(model_name='resnet34.tv_in1k', in_channels=_base_.in_channels),
    head=dict(num_classes=_base_.num_classes),
)
optim_wrapper = dict(schedule=dict(warm_epochs=3, epochs=10, push_epochs=[9]))
