_base_ = './vgg19_cub_full.py'

model = dict(
    backbone=dict(model_name='densenet161'),
)
