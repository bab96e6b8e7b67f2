# Images of your own, a folder of class folders or a list of labels: see docs/your_data.md.
_base_ = './cub_full.py'  # first, as MMEngine wants it

import os  # noqa: E402

from mmproto.datasets.folder import folder_classes  # noqa: E402
from mmproto.datasets.folder_groups import group_pattern  # noqa: E402
from mmproto.datasets.scale import image_scale  # noqa: E402

data_root = '{{$DATA_ROOT:data/images}}'
# Width and height that every image is resized to, such as 320x256: multiples of 32 suit every
# network. 'network' is what the network was trained with.
scale = '{{$SCALE:network}}'
interpolation = 'network'
num_classes = len(folder_classes(data_root))
data_preprocessor = dict(num_classes=num_classes)

# Channels that the network takes: 1 for grey images as they are, not three times the same.
in_channels = int('{{$IN_CHANNELS:3}}')
color_type = 'grayscale' if in_channels == 1 else 'color'

train_pipeline = _base_.train_pipeline
train_pipeline[0] = dict(type='LoadPicture', color_type=color_type)
train_pipeline[-2]['scale'] = image_scale(scale)
test_pipeline = _base_.test_pipeline
test_pipeline[0] = dict(type='LoadPicture', color_type=color_type)
test_pipeline[-2]['scale'] = image_scale(scale)

# Where the folder has no train and val of its own, a share of every class is held out.
# Images whose names agree in what the regular expression `group` finds stay on one side.
group = group_pattern(os.environ.get('GROUP', '')).pattern
images = dict(type='FolderDataset', data_root=data_root, val_share=0.2, seed=0, group=group)

train_dataloader = dict(
    batch_size=20,
    num_workers=2,
    # An epoch of few images would be few steps.
    dataset=dict(
        _delete_=True,
        type='RepeatToDataset',
        least=200,
        dataset=dict(split='train', pipeline=train_pipeline, **images),
    ),
)
push_dataloader = dict(
    num_workers=2, dataset=dict(_delete_=True, split='train', pipeline=test_pipeline, **images)
)
val_dataloader = dict(
    batch_size=50,
    num_workers=2,
    dataset=dict(_delete_=True, split='val', pipeline=test_pipeline, **images),
)
test_dataloader = dict(
    batch_size=50,
    num_workers=2,
    dataset=dict(_delete_=True, split='test', pipeline=test_pipeline, **images),
)
val_evaluator = [dict(type='Accuracy', topk=(1,)), dict(type='ClassAccuracy')]
test_evaluator = val_evaluator
