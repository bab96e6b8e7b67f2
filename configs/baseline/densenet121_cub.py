_base_ = './vgg19_cub.py'

# torchvision's ImageNet weights, as the reference implementation starts from.
model = dict(
    backbone=dict(model_name='densenet121.tv_in1k'),
)
