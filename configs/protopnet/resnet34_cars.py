_base_ = './vgg19_cars.py'

# torchvision's ImageNet weights, as the reference implementation starts from.
# 256 channels as it runs ResNet-34; the paper's text says 128 for all.
model = dict(
    backbone=dict(model_name='resnet34.tv_in1k'),
    neck=dict(out_channels=256),
    head=dict(in_channels=256),
)
