import copy
import io
import json
import logging
import os
import re
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from PIL import Image

from mmproto.engine import PrototypePushHook
from mmproto.engine.nearest_patch_search import find_nearest_patches
from mmproto.engine.push import push_prototypes
from mmproto.errors import InputError
from mmproto.visualization.prototype_files import write_prototypes
from mmproto.visualization.prototype_sheet import prototype_sheet
from tests.toy import loader, model_config, train_config

COUNT = 37  # no multiple of a number of processes, or of a batch size


def build_model(backbone=None):
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    config = model_config()
    if backbone is not None:
        config['backbone'] = dict(
            type='TIMMBackbone', model_name=backbone, features_only=True, out_indices=(-2,)
        )
    return MODELS.build(config).eval()


def build_loader(**settings):
    return Runner.build_dataloader(ConfigDict(loader(count=COUNT, size=48, **settings)))


def run_process(rank, world_size, folder, settings, threads):
    """One of several processes that push together; keeps what the head then is."""
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(29600 + world_size))
    torch.distributed.init_process_group('gloo', rank=rank, world_size=world_size)
    torch.set_num_threads(threads)
    model = build_model('resnet10t')
    if rank:  # statistics of its own, as in training: those of rank 0 have to count
        model.backbone.timm_model.bn1.running_mean += rank
    push_prototypes(model, build_loader(**settings), f'{folder}/pictures')
    torch.save(model.head.state_dict(), f'{folder}/{world_size}_{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.fixture(scope='module')
def one_process():
    """The head after a push on this process, in batches of 16."""
    model = build_model('resnet10t')
    push_prototypes(model, build_loader(batch_size=16))
    return model.head.state_dict()


def assert_same(head, expected):
    assert head.keys() == expected.keys()
    for name, value in head.items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize('settings', [dict(batch_size=1), dict(batch_size=7), dict(batch_size=64)])
def test_the_batch_size_changes_no_bit(one_process, settings):
    model = build_model('resnet10t')
    push_prototypes(model, build_loader(**settings))
    assert_same(model.head.state_dict(), one_process)


def test_workers_and_threads_change_no_bit(one_process):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        model = build_model('resnet10t')
        push_prototypes(model, build_loader(batch_size=5, num_workers=2))
        assert torch.get_num_threads() == (1 if threads > 1 else 2)
    finally:
        torch.set_num_threads(threads)
    assert_same(model.head.state_dict(), one_process)


@pytest.mark.slow
@pytest.mark.parametrize(('world_size', 'threads'), [(2, 1), (3, 2)])
def test_processes_change_no_bit(tmp_path, one_process, world_size, threads):
    arguments = (world_size, str(tmp_path), dict(batch_size=4), threads)
    mp.spawn(run_process, arguments, nprocs=world_size)
    for rank in range(world_size):
        assert_same(torch.load(tmp_path / f'{world_size}_{rank}.pth'), one_process)
    records = json.loads((tmp_path / 'pictures' / 'prototypes.json').read_text())
    assert [record['prototype'] for record in records] == list(range(6))
    assert len(list((tmp_path / 'pictures').glob('*.jpg'))) == 3 * 6


def test_equals_a_pass_over_one_image_at_a_time():
    model = build_model()
    dataloader = build_loader(batch_size=4)
    dataset = dataloader.dataset
    features = torch.cat(
        [
            model.extract_feat(dataset[i]['inputs'][None].float() / 255)[-1].detach()
            for i in range(COUNT)
        ]
    )
    head = model.head
    expected = head.nearest_patches(
        [features], torch.from_numpy(dataset.labels), torch.arange(COUNT)
    )
    found = find_nearest_patches(model, dataloader)
    assert torch.equal(found.image, expected.image)
    assert torch.equal(found.location, expected.location)
    torch.testing.assert_close(found.vector, expected.vector, rtol=1e-5, atol=1e-6)


def test_of_equal_images_the_first_wins():
    model = build_model()
    dataloader = build_loader(batch_size=4)
    dataloader.dataset.images[:] = dataloader.dataset.images[0]
    push_prototypes(model, dataloader)
    assert model.head.prototype_image.tolist() == [0, 0, 1, 1, 2, 2]


def test_a_pushed_prototype_scores_the_most_on_its_image():
    model = build_model()
    dataloader = build_loader()
    before = copy.deepcopy(model.head.prototype_vectors.data)
    report = push_prototypes(model, dataloader)
    head = model.head
    moved = (head.prototype_vectors.data - before).square().flatten(1).sum(1)
    torch.testing.assert_close(report.moved, moved)
    torch.testing.assert_close(head.prototype_distance, moved)
    assert bool(head.prototypes_are_patches)
    for prototype, image in enumerate(head.prototype_image.tolist()):
        assert dataloader.dataset.labels[image] == head.prototype_class[prototype]
        inputs = dataloader.dataset[image]['inputs'][None].float() / 255
        maps = head.similarity_maps(model.extract_feat(inputs))[0, prototype]
        row, column = head.prototype_location[prototype].tolist()
        assert maps[row, column] == maps.max()
        assert head.pre_logits(model.extract_feat(inputs))[0, prototype].item() > 9.2


def test_pictures_and_records(tmp_path):
    model = build_model()
    dataloader = build_loader()
    images = dataloader.dataset.images
    images[:] = images[:, ::16, ::16].repeat(16, axis=1).repeat(16, axis=2)  # JPEG blurs noise
    push_prototypes(model, dataloader, tmp_path / 'new' / 'folder')
    records = json.loads((tmp_path / 'new' / 'folder' / 'prototypes.json').read_text())
    for record, (prototype, image) in zip(records, enumerate(model.head.prototype_image.tolist())):
        assert record['prototype'] == prototype
        assert (record['image'], record['image_index']) == (f'{image}.png', image)
        assert record['class_name'] == f'class {record["class_index"]}'
        assert record['distance'] == pytest.approx(float(model.head.prototype_distance[prototype]))
        assert record['location'] == model.head.prototype_location[prototype].tolist()
        box = record['box']
        crop = images[image, box['top'] : box['bottom'], box['left'] : box['right']]
        stem = tmp_path / 'new' / 'folder' / f'{prototype:05d}'
        for name, shape in dict(image=(48, 48), crop=crop.shape[:2], heat=(48, 48)).items():
            assert cv2.imread(f'{stem}_{name}.jpg').shape[:2] == shape
        picture = cv2.imread(f'{stem}_crop.jpg').astype(float)
        assert np.abs(picture - crop).mean() < 12
        edge = cv2.imread(f'{stem}_image.jpg')[box['top'], box['left'] : box['right']].mean(axis=0)
        assert edge[2] > edge[0] + 50  # the box is yellow


def test_grey_images_without_paths_are_pictured(tmp_path):
    model = build_model()
    dataloader = Runner.build_dataloader(
        ConfigDict({**loader(), 'dataset': dict(type='GreyDataset')})
    )
    nearest = find_nearest_patches(model, build_loader())
    nearest.image %= len(dataloader.dataset)
    write_prototypes(model, nearest, dataloader.dataset, tmp_path)
    records = json.loads((tmp_path / 'prototypes.json').read_text())
    assert [record['image'] for record in records] == [None] * 6
    assert cv2.imread(str(tmp_path / '00000_image.jpg')).shape == (16, 16, 3)


@pytest.mark.parametrize('labels', ['one class', 'not finite'])
def test_a_prototype_without_a_patch_is_refused(labels):
    model = build_model()
    dataloader = build_loader()
    if labels == 'one class':
        dataloader.dataset.labels[:] = 1
    else:
        model.neck.add_on_layers[0].weight.data.fill_(float('nan'))
    with pytest.raises(InputError, match=r'no patch was found for .* classes, \[0, '):
        push_prototypes(model, dataloader)
    assert not bool(model.head.prototypes_are_patches)


def test_collapsed_prototypes_are_warned_about():
    model = build_model()
    model.head.prototype_vectors.data[1] = model.head.prototype_vectors.data[0]
    report = push_prototypes(model, build_loader())
    assert '5 different patches (1 share the patch of another)' in report.summary()
    assert report.distinct(0) == (2, 1)
    (warning,) = report.warnings()
    assert 'collapse onto few patches in 1 of 3 classes' in warning
    assert '0 (class 0): 2 on 1' in warning


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


def test_images_of_different_sizes_are_refused():
    config = {**loader(batch_size=1), 'dataset': dict(type='UnevenDataset')}
    with pytest.raises(InputError, match=r'different sizes \[\(14, 16\), \(16, 16\)\]'):
        push_prototypes(build_model(), Runner.build_dataloader(ConfigDict(config)))


@pytest.mark.slow
def test_the_visualizer_shows_the_push(tmp_path):
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    backends = [dict(type='TensorboardVisBackend'), dict(type='LocalVisBackend')]
    config = train_config(
        tmp_path, visualizer=dict(type='UniversalVisualizer', vis_backends=backends)
    )
    config['default_hooks']['logger'] = dict(type='LoggerHook', interval=1)
    runner = Runner.from_cfg(config)
    runner.train()
    (events,) = tmp_path.glob('*/vis_data/events.*')
    board = EventAccumulator(str(events), size_guidance=dict(images=0)).Reload()

    def plotted(tag):
        return [(event.step, event.value) for event in board.Scalars(tag)]

    head = runner.model.head
    patches = torch.cat([head.prototype_image[:, None], head.prototype_location], dim=1)
    moved = head.prototype_distance.mean().item()
    assert plotted('push/mean_moved') == [(4, pytest.approx(moved))]
    assert plotted('push/patches') == [(4, len(patches.unique(dim=0)))]
    validated = dict(plotted('accuracy/top1'))
    assert list(validated) == [1, 2, 3, 4, 5, 6]
    assert plotted('push/accuracy/top1/after') == [(4, validated[4])]
    ((step, before),) = plotted('push/accuracy/top1/before')
    assert step == 4
    assert 0 <= before <= 100
    warm, joint, last_layer = (2 * 3,) * 3  # iterations
    for group, rates in dict(
        backbone=[0] * warm + [1e-4] * joint + [0] * last_layer,
        neck=[3e-3] * (warm + joint) + [0] * last_layer,
        prototypes=[3e-3] * (warm + joint) + [0] * last_layer,
        last_layer=[0] * (warm + joint) + [1e-4] * last_layer,
    ).items():
        steps, values = zip(*plotted(f'{group}.lr'))
        assert steps == tuple(range(1, 19))
        assert values == pytest.approx(rates)
    terms = [dict(plotted(f'loss_{term}')) for term in ('cls', 'cluster', 'separation', 'l1')]
    for step, loss in plotted('loss'):
        assert loss == pytest.approx(sum(term[step] for term in terms), rel=1e-3)

    sheet = prototype_sheet(tmp_path / 'prototypes' / 'epoch_4')
    (shown,) = board.Images('prototypes')
    assert shown.step == 4
    decoded = Image.open(io.BytesIO(shown.encoded_image_string))
    assert np.array_equal(np.asarray(decoded), np.asarray(sheet))
    (saved,) = tmp_path.glob('*/vis_data/vis_image/prototypes_4.png')
    assert np.array_equal(np.asarray(Image.open(saved)), np.asarray(sheet))


def test_a_sheet_that_lacks_a_picture_does_not_end_the_training(tmp_path, caplog):
    push_prototypes(build_model(), build_loader(), tmp_path)
    (tmp_path / '00003_crop.jpg').unlink()  # written by another machine
    runner = SimpleNamespace(logger=logging.getLogger('push'))
    PrototypePushHook._show_sheet(runner, tmp_path, epoch=4)
    assert re.search(r'no sheet of the prototypes, for want of .*00003_crop.jpg', caplog.text)
