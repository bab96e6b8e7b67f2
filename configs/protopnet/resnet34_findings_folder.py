# Images with any number of labels each, or none: see docs/findings.md.
_base_ = './resnet34_folder.py'

model = dict(
    head=dict(type='MultiLabelProtoPNetHead', loss=dict(cls=dict(type='BinaryCrossEntropyCost'))),
)

train_dataloader = dict(dataset=dict(dataset=dict(type='MultiLabelFolderDataset')))
push_dataloader = dict(dataset=dict(type='MultiLabelFolderDataset'))
val_dataloader = dict(dataset=dict(type='MultiLabelFolderDataset'))
test_dataloader = dict(dataset=dict(type='MultiLabelFolderDataset'))

# The mean average precision decides which checkpoint is the best.
val_evaluator = [dict(type='AveragePrecision'), dict(type='MultiLabelMetric', thr=0.5)]
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='multi-label/mAP', rule='greater'))
