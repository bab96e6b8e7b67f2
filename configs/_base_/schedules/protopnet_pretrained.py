# For pretrained networks and small data: prototypes begin at patches, batch norm stands still, and
# frequent pushes let the network learn for patches.
_base_ = './protopnet_sparse.py'

optim_wrapper = dict(
    schedule=dict(warm_epochs=0, epochs=10, push_epochs=[0, 2, 4, 6, 8, 9]),
    stages=dict(
        joint=dict(
            norm_eval=True,
            backbone=dict(lr=1e-4, weight_decay=1e-3),
            neck=dict(lr=1e-4, weight_decay=0),
            prototypes=dict(lr=1e-3),
        ),
    ),
)
# Less and less moves, so that the last pushes find every prototype near a patch.
param_scheduler = dict(
    _delete_=True,
    joint=[dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, convert_to_iter_based=True)],
)
auto_scale_lr = dict(base_batch_size=20)
