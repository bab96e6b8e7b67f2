# A ProtoPNet for pretrained networks and small data: no random layers between the network and its
# prototypes, which are compared by the angle.
_base_ = './protopnet_timm.py'

model = dict(
    neck=dict(kind='linear'),
    head=dict(
        prototypes_per_class=5,
        similarity='cosine',
        loss=dict(cluster=dict(weight=1.0), separation=dict(weight=0.1)),
    ),
)
