# The reference implementation's schedule: section 2.2 and the supplement's S9.3.
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='ProtoPNetOptimWrapperConstructor',
    optimizer=dict(type='Adam'),
    # Warm and joint epochs, counted from 0. A push follows every tenth from the tenth on, and
    # last_layer_epochs of the last layer alone follow a push: 31 + 3 x 20 = 91 epochs.
    # A list of phases can stand here instead: see docs/schedule.md.
    schedule=dict(warm_epochs=5, epochs=31, push_start=10, push_interval=10, last_layer_epochs=20),
    stages=dict(
        warm=dict(neck=dict(lr=3e-3, weight_decay=1e-3), prototypes=dict(lr=3e-3)),
        joint=dict(
            backbone=dict(lr=1e-4, weight_decay=1e-3),
            neck=dict(lr=3e-3, weight_decay=1e-3),
            prototypes=dict(lr=3e-3),
        ),
        # As in the reference, batch norm goes on gathering statistics; so one last push follows.
        last_layer=dict(norm_eval=False, last_layer=dict(lr=1e-4)),
    ),
)

# Each stage's schedulers count its own epochs. The reference decays before an epoch, so the first
# decay is that of the fifth joint epoch; the list outlasts any schedule.
param_scheduler = dict(
    warm=[],
    joint=[dict(type='MultiStepLR', milestones=list(range(4, 1000, 5)), gamma=0.1)],
    last_layer=[],
)

train_cfg = dict(type='StagedTrainLoop', val_interval=1)
val_cfg = dict()
test_cfg = dict()

# Learning rates are for a batch of 80 images over all GPUs; see --auto-scale-lr.
auto_scale_lr = dict(base_batch_size=80)
