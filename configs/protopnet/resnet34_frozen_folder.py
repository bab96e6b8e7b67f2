# Images of your own without a GPU: the backbone is frozen, goes through the images once, and
# everything after it trains on its maps. See docs/your_data.md.
_base_ = './resnet34_folder.py'

train_dataloader = dict(dataset=dict(_delete_=True, **_base_.push_dataloader.dataset))
optim_wrapper = dict(
    stages=dict(
        joint=dict(
            _delete_=True,
            norm_eval=True,
            neck=dict(lr=1e-3, weight_decay=0),
            prototypes=dict(lr=1e-3),
        ),
    ),
)
custom_hooks = [*_base_.custom_hooks, dict(type='FrozenBackboneHook')]
