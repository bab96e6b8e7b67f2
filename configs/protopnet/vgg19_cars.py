_base_ = [
    '../_base_/models/protopnet_timm.py',
    '../_base_/datasets/cars_cropped.py',
    '../_base_/schedules/protopnet.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=196))
