# The birds that tools/make_birds.py draws, by the pipelines of CUB-200-2011.
_base_ = './cub_cropped.py'  # first, as MMEngine wants it

from mmproto.datasets.scale import image_scale  # noqa: E402

data_root = '{{$DATA_ROOT:data/birds}}'
scale = '{{$SCALE:96x96}}'
data_preprocessor = dict(num_classes=12)

train_pipeline = _base_.train_pipeline
train_pipeline[-2]['scale'] = image_scale(scale)
# So that parts decide and not their tints: see docs/explanations.md.
train_pipeline.insert(
    -1, dict(type='ColorJitter', brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1)
)
test_pipeline = _base_.test_pipeline
test_pipeline[-2]['scale'] = image_scale(scale)

train_dataloader = dict(
    batch_size=40,
    num_workers=2,
    dataset=dict(times=1, dataset=dict(data_root=data_root, pipeline=train_pipeline)),
)
push_dataloader = dict(num_workers=2, dataset=dict(data_root=data_root, pipeline=test_pipeline))
val_dataloader = dict(num_workers=2, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
