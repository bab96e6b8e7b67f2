_base_ = [
    '../_base_/models/baseline_timm.py',
    '../_base_/datasets/cub_cropped.py',
    '../_base_/schedules/baseline.py',
    '../_base_/baseline_runtime.py',
]
