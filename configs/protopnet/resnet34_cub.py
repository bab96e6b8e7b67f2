_base_ = './vgg19_cub.py'

# 256 channels as the reference implementation runs it; the paper's text says 128 for all.
model = dict(
    backbone=dict(model_name='resnet34'),
    neck=dict(out_channels=256),
    head=dict(in_channels=256),
)
