# CUB-200-2011, every image cropped to its bird. An epoch is 30 augmented copies of the data set.
_base_ = []  # MMEngine takes an import for its other syntax where this is not before it

from mmproto.datasets.scale import image_scale  # noqa: E402

data_root = '{{$DATA_ROOT:data/CUB_200_2011}}'
# Width and height that every image is resized to; 'network': what the network was trained with.
scale = '{{$SCALE:224x224}}'
# Mean, std and the order of the channels are the network's, where they are not set here.
data_preprocessor = dict(num_classes=200)
resize = dict(type='Resize', scale=image_scale(scale), backend='pillow', interpolation='bilinear')

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='CropToBox'),
    dict(
        type='RandomChoice',
        transforms=[
            [dict(type='RandomRotate', max_angle=15)],
            [dict(type='RandomSkew', magnitude=0.2)],
            [dict(type='RandomShear', max_angle=10)],
        ],
    ),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    resize,
    dict(type='PackInputs'),
]

test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='CropToBox'),
    resize,
    # crop_box leads from a pixel of the input back to the original image
    dict(
        type='PackInputs',
        meta_keys=('sample_idx', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'crop_box'),
    ),
]

train_dataloader = dict(
    batch_size=80,
    num_workers=5,
    dataset=dict(
        type='RepeatDataset',
        times=30,
        dataset=dict(
            type='AnnotatedCUB', data_root=data_root, split='train', pipeline=train_pipeline
        ),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)

# the training images as they are, for the prototypes to be pushed onto
push_dataloader = dict(
    batch_size=75,
    num_workers=5,
    dataset=dict(type='AnnotatedCUB', data_root=data_root, split='train', pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)

val_dataloader = dict(
    batch_size=100,
    num_workers=5,
    dataset=dict(type='AnnotatedCUB', data_root=data_root, split='test', pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='Accuracy', topk=(1, 5))

test_dataloader = val_dataloader
test_evaluator = val_evaluator
