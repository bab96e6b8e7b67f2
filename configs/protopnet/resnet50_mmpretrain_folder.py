# Images of your own by a backbone of MMPretrain with weights of its model zoo, where
# resnet34_folder.py has one of timm: any other is named the same way.
_base_ = './resnet34_folder.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=50,
        out_indices=(3,),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/resnet/'
            'resnet50_8xb32_in1k_20210831-ea4938fc.pth',
            prefix='backbone',
        ),
    )
)
