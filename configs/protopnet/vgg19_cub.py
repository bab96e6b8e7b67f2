_base_ = [
    '../_base_/models/protopnet_timm.py',
    '../_base_/datasets/cub_cropped.py',
    '../_base_/schedules/protopnet.py',
    '../_base_/default_runtime.py',
]
