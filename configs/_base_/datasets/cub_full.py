# CUB-200-2011 like cub_cropped.py, but with the whole images.
_base_ = ['./cub_cropped.py']

train_pipeline = [step for step in _base_.train_pipeline if step.type != 'CropToBox']
test_pipeline = [step for step in _base_.test_pipeline if step.type != 'CropToBox']

train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
push_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
