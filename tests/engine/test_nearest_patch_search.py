from dataclasses import fields

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.apis import write_prototypes
from mmproto.engine.nearest_patch_search import find_different_patches, find_nearest_patches
from mmproto.engine.push import push_prototypes
from mmproto.errors import InputError
from tests.toy import loader, model_config

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


def run_process(rank, world_size, folder, runs, threads):
    """One of several processes that push together; keeps what the head then is, for each run."""
    torch.distributed.init_process_group(
        'gloo', f'file://{folder}/rendezvous', rank=rank, world_size=world_size
    )
    torch.set_num_threads(threads)
    for number, settings in enumerate(runs):
        model, dataloader = build_model('resnet10t'), build_loader(**settings)
        if rank:  # statistics of its own, as in training: those of rank 0 have to count
            model.backbone.timm_model.bn1.running_mean += rank
        nearest = push_prototypes(model, dataloader)
        torch.save(model.state_dict(), f'{folder}/{number}_{rank}.pth')
    write_prototypes(model, nearest, dataloader.dataset, f'{folder}/images')
    torch.distributed.destroy_process_group()


@pytest.fixture(scope='module')
def one_process():
    """The model after a push on this process, in batches of 16."""
    model = build_model('resnet10t')
    push_prototypes(model, build_loader(batch_size=16))
    return model.state_dict()


def assert_same(model, expected):
    assert model.keys() == expected.keys()
    for name, value in model.items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize('settings', [dict(batch_size=1), dict(batch_size=7), dict(batch_size=64)])
def test_the_batch_size_changes_no_bit(one_process, settings):
    model = build_model('resnet10t')
    push_prototypes(model, build_loader(**settings))
    assert_same(model.state_dict(), one_process)


def test_workers_and_threads_change_no_bit(one_process):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        model = build_model('resnet10t')
        push_prototypes(model, build_loader(batch_size=5, num_workers=2))
        assert torch.get_num_threads() == (1 if threads > 1 else 2)
    finally:
        torch.set_num_threads(threads)
    assert_same(model.state_dict(), one_process)


RUNS = [dict(batch_size=4), dict(batch_size=7, num_workers=1)]


# A forked process is there at once; like a worker of a DataLoader it may compute on one thread.
@pytest.mark.parametrize(
    ('world_size', 'threads', 'start_method'),
    [(2, 1, 'fork'), pytest.param(3, 2, 'spawn', marks=pytest.mark.slow)],
)
def test_processes_change_no_bit(tmp_path, one_process, world_size, threads, start_method):
    arguments = (world_size, str(tmp_path), RUNS, threads)
    mp.start_processes(run_process, arguments, world_size, start_method=start_method)
    for number in range(len(RUNS)):
        for rank in range(world_size):
            assert_same(torch.load(tmp_path / f'{number}_{rank}.pth'), one_process)
    # Each process has drawn its share.
    names = {file.name for file in (tmp_path / 'images').iterdir()}
    parts = {f'{j:05d}_{part}.jpg' for j in range(6) for part in ('image', 'crop', 'heat')}
    assert names == {'prototypes.json'} | parts


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


def twins():
    """A model whose two prototypes of a class are equal: both are nearest to one patch."""
    model = build_model()
    model.head.prototype_vectors.data[1::2] = model.head.prototype_vectors.data[::2]
    return model


def find_different(rank, world_size, folder):
    """One of several processes that look for different patches."""
    torch.distributed.init_process_group(
        'gloo', f'file://{folder}/rendezvous', rank=rank, world_size=world_size
    )
    torch.set_num_threads(1)
    torch.save(find_different_patches(twins(), build_loader(batch_size=3)), f'{folder}/{rank}.pt')
    torch.distributed.destroy_process_group()


def test_twins_go_to_their_two_nearest_patches_on_any_number_of_processes(tmp_path):
    model, dataloader = twins(), build_loader(batch_size=4)
    nearest = find_nearest_patches(model, dataloader)
    assert torch.equal(nearest.image[::2], nearest.image[1::2])
    different = find_different_patches(model, dataloader)
    features = [
        model.extract_feat(dataloader.dataset[i]['inputs'][None].float() / 255)[-1]
        for i in range(COUNT)
    ]
    labels, prototype_class = dataloader.dataset.labels, model.head.prototype_class.tolist()
    for j in range(0, 6, 2):
        own = [maps for maps, label in zip(features, labels) if label == prototype_class[j]]
        vectors = torch.cat(own).detach().movedim(1, -1).flatten(0, 2)
        distances = (vectors - model.head.prototype_vectors[j].flatten()).square().sum(dim=-1)
        pair = different.distance[j : j + 2].sort().values
        torch.testing.assert_close(pair, distances.sort().values[:2])
        places = torch.cat([different.image[:, None], different.location], dim=1)[j : j + 2]
        assert places[0].tolist() != places[1].tolist()
    mp.start_processes(find_different, (2, str(tmp_path)), 2, start_method='fork')
    for rank in range(2):
        found = torch.load(tmp_path / f'{rank}.pt', weights_only=False)
        for field in fields(found):
            assert torch.equal(getattr(found, field.name), getattr(different, field.name))


def test_more_prototypes_than_patches_are_refused():
    model, dataloader = build_model(), build_loader()
    dataset = dataloader.dataset
    dataset.labels[:] = 1 - (torch.arange(COUNT).numpy() < 1)  # one image of class 0, none of 2
    with pytest.raises(InputError, match=r'of 1 classes, 2 .* fewer patches than'):
        find_different_patches(model, dataloader)


@pytest.mark.parametrize('labels', ['one class', 'not finite'])
def test_a_prototype_without_a_patch_is_refused(labels):
    model = build_model()
    dataloader = build_loader()
    if labels == 'one class':
        dataloader.dataset.labels[:] = 1
    else:
        model.neck.add_on_layers[0].weight.data.fill_(float('nan'))
    with pytest.raises(InputError, match=r'no patch was found for .* classes, 0 \(class 0\), '):
        push_prototypes(model, dataloader)
    assert not bool(model.head.prototypes_are_patches)


def test_images_of_different_sizes_are_refused():
    config = {**loader(batch_size=1), 'dataset': dict(type='UnevenDataset')}
    with pytest.raises(InputError, match=r'different sizes \[\(14, 16\), \(16, 16\)\]'):
        push_prototypes(build_model(), Runner.build_dataloader(ConfigDict(config)))
