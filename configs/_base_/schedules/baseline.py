# A linear head on the same backbone: no stages, no prototypes.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4, weight_decay=1e-3))
param_scheduler = []
train_cfg = dict(by_epoch=True, max_epochs=91, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=80)
