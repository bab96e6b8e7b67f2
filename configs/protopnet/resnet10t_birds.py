# The demo: a small network from scratch on rendered birds, minutes on two CPU cores.
_base_ = [
    '../_base_/models/protopnet_timm.py',
    '../_base_/datasets/birds.py',
    '../_base_/schedules/protopnet_sparse.py',
    '../_base_/default_runtime.py',
]

model = dict(
    # The map before the last stage is finer: 6x6 cells of 16 pixels.
    backbone=dict(model_name='resnet10t', out_indices=(-2,), pretrained=False),
    neck=dict(out_channels=64),
    head=dict(
        num_classes=12,
        in_channels=64,
        prototypes_per_class=5,
        similarity='cosine',
        # Ten times the paper's weights, as a distance costs ten points, the similarity's scale:
        # cosine distances are that much smaller than the squared ones.
        loss=dict(cluster=dict(weight=8), separation=dict(weight=0.8)),
    ),
)

# Nothing is pretrained, so the backbone learns from the first epoch on, and faster; and prototypes
# that begin as random numbers are pushed early and often: the network learns for patches.
optim_wrapper = dict(
    schedule=dict(warm_epochs=0, epochs=30, push_epochs=[0, 2, 5, 10, 20, 29]),
    stages=dict(
        joint=dict(backbone=dict(lr=1e-3)),
        # Dear enough for no connection to another class: every point is explained.
        last_layer=dict(solver=dict(l1_weight=3e-2)),
    ),
)
param_scheduler = dict(joint=[dict(type='MultiStepLR', milestones=[20, 26], gamma=0.3)])

train_cfg = dict(val_interval=5)
default_hooks = dict(logger=dict(interval=12))
randomness = dict(seed=0)
