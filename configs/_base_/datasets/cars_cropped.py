# Stanford Cars, every image cropped to its car, by the pipelines of CUB-200-2011.
_base_ = './cub_cropped.py'

data_root = '{{$DATA_ROOT:data/Stanford_Cars}}'
data_preprocessor = dict(num_classes=196)
cars = dict(type='AnnotatedCars', data_root=data_root)

train_dataloader = dict(dataset=dict(dataset=cars))
push_dataloader = dict(dataset=cars)
val_dataloader = dict(dataset=cars)
test_dataloader = val_dataloader
