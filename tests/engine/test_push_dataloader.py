import pytest
from mmengine.runner import Runner

from mmproto.errors import InputError
from tests.toy import loader, model_config, train_config


def refused(tmp_path, message, **changes):
    with pytest.raises(InputError, match=message):
        Runner.from_cfg(train_config(tmp_path, **changes)).train()
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize(
    ('push_dataloader', 'message'),
    [
        (None, 'no push_dataloader'),
        (loader(shuffle=True), 'push_dataloader shuffles its images'),
        ({**loader(), 'drop_last': True}, 'leaves the last images out'),
        (loader(num_classes=2), r'no image of 1 of 3 classes: 2'),
        (loader(num_classes=4), r'push_dataloader.dataset has the label 3 \(image 3\)'),
    ],
)
def test_a_wrong_push_set_is_refused_before_training(tmp_path, push_dataloader, message):
    refused(tmp_path, message, push_dataloader=push_dataloader)


def test_an_augmented_push_set_is_refused_before_training(tmp_path):
    refused(
        tmp_path,
        'push_dataloader augments its images',
        push_dataloader={**loader(), 'dataset': dict(type='NoisyDataset')},
    )


@pytest.mark.parametrize('setting', ['train_dataloader', 'val_dataloader'])
def test_labels_out_of_range_are_refused_before_training(tmp_path, setting):
    refused(
        tmp_path,
        f'{setting}.dataset has the label 3.*allows 0 to 2',
        **{setting: loader(num_classes=4)},
    )


def test_images_that_the_backbone_cannot_take_are_refused_before_training(tmp_path):
    model = model_config()
    model['backbone'] = dict(
        type='TIMMBackbone',
        model_name='deit_tiny_patch16_224',
        img_size=96,
        features_only=True,
        out_indices=(-1,),
    )
    refused(tmp_path, r'cannot take images of 16 x 16 .*, but 96 x 96', model=model)


@pytest.mark.parametrize(('size', 'warned'), [(2, True), (16, False)])
def test_images_of_one_patch_are_warned_about_at_the_start(tmp_path, size, warned):
    loaders = {
        f'{name}_dataloader': loader(size=size, shuffle=name == 'train')
        for name in ('train', 'push', 'val')
    }
    Runner.from_cfg(train_config(tmp_path, **loaders)).train()
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert ('sees the image as one patch (feature map of 1 x 1)' in log) == warned
