_base_ = './vgg19_cub.py'

model = dict(
    backbone=dict(model_name='densenet161'),
)
