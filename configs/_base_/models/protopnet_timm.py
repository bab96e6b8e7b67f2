# A ProtoPNet on a timm backbone: name another by model.backbone.model_name.
model = dict(
    type='ProtoPNet',
    backbone=dict(
        type='TIMMBackbone',
        model_name='vgg19',
        features_only=True,
        out_indices=(-1,),
        pretrained=True,
    ),
    neck=dict(type='ProtoPNetAddOn', out_channels=128, kind='regular'),
    head=dict(
        type='ProtoPNetHead',
        num_classes=200,
        in_channels=128,
        prototypes_per_class=10,
        prototype_size=1,
        similarity='log',
        loss=dict(
            type='ProtoPNetLoss',
            cls=dict(type='CrossEntropyCost', weight=1.0),
            cluster=dict(type='ClusterCost', weight=0.8),
            separation=dict(type='SeparationCost', weight=0.08),
            l1=dict(type='L1Cost', weight=1e-4),
        ),
    ),
)
