# For pretrained networks and small data: prototypes begin at patches, batch norm stands still, and
# frequent pushes let the network learn for patches.
_base_ = './protopnet_sparse.py'

optim_wrapper = dict(
    schedule=dict(warm_epochs=0, epochs=10, push_epochs=[0, 2, 5, 9]),
    stages=dict(
        joint=dict(
            norm_eval=True,
            backbone=dict(lr=1e-4, weight_decay=1e-3),
            neck=dict(lr=1e-4, weight_decay=0),
            prototypes=dict(lr=1e-3),
        ),
    ),
)
param_scheduler = dict(joint=[dict(type='MultiStepLR', milestones=[7], gamma=0.2)])
auto_scale_lr = dict(base_batch_size=20)
