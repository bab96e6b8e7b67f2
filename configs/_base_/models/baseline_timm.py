# The network that a ProtoPNet is compared with: the same backbone under a linear head.
model = dict(
    type='LinearClassifier',
    backbone=dict(
        type='TIMMBackbone',
        model_name='vgg19',
        features_only=True,
        out_indices=(-1,),
        pretrained=True,
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=200),
)
