from dataclasses import asdict

import pytest
import torch
import torch.multiprocessing as mp

from mmproto.engine.nearest_images_search import find_nearest_images
from mmproto.engine.nearest_patch_search import find_nearest_patches
from mmproto.errors import InputError
from tests.engine.test_nearest_patch_search import COUNT, build_loader, build_model

# All of them, so that an image that two processes have met would show.
K = COUNT + 3


def run_process(rank, folder):
    """One of two processes that search together; keeps what it gets."""
    torch.distributed.init_process_group(
        'gloo', f'file://{folder}/rendezvous', rank=rank, world_size=2
    )
    torch.set_num_threads(1)
    model = build_model('resnet10t')
    if rank:  # statistics of its own, as in training: those of rank 0 have to count
        model.backbone.timm_model.bn1.running_mean += rank
    found = [find_nearest_images(model, build_loader(batch_size=4), k) for k in (K, 5)]
    torch.save([asdict(one) for one in found], f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert torch.equal(value, expected[name]), name


def test_neither_processes_nor_batches_change_a_bit(tmp_path):
    model = build_model('resnet10t')
    expected = [
        asdict(find_nearest_images(model, build_loader(batch_size=7, num_workers=1), k))
        for k in (K, 5)
    ]
    for name, value in expected[1].items():
        assert torch.equal(value, expected[0][name][:, :5]), name
    mp.start_processes(run_process, (str(tmp_path),), 2, start_method='fork')
    for rank in range(2):
        for found, one_process in zip(torch.load(tmp_path / f'{rank}.pth'), expected, strict=True):
            assert_same(found, one_process)


@torch.no_grad()
def test_equals_a_loop_over_images():
    model, dataloader = build_model(), build_loader(batch_size=4)
    head, dataset = model.head, dataloader.dataset
    distances = []
    for index in range(COUNT):
        feats = model.extract_feat(dataset[index]['inputs'][None].float() / 255)
        patches = head.patches(feats)[0]
        distances.append(
            [((patches - p.flatten()) ** 2).sum(1).min().item() for p in head.prototype_vectors]
        )
    distances = torch.tensor(distances)
    found = find_nearest_images(model, dataloader, 6)
    expected = distances.sort(dim=0, stable=True)
    assert torch.equal(found.image, expected.indices[:6].t())
    torch.testing.assert_close(found.distance, expected.values[:6].t())
    labels = torch.from_numpy(dataset.labels)
    assert torch.equal(found.classes(labels), labels[expected.indices[:6]].t())


def test_of_one_class_it_is_the_patch_of_the_push():
    model, dataloader = build_model(), build_loader()
    dataloader.dataset.labels[:] = 0
    model.head.prototype_class.zero_()
    pushed = find_nearest_patches(model, dataloader)
    found = find_nearest_images(model, dataloader, 1)
    assert torch.equal(found.image[:, 0], pushed.image)
    assert torch.equal(found.location[:, 0], pushed.location)
    assert torch.equal(found.distance[:, 0], pushed.distance)


def test_numbers_that_are_not_finite_are_refused():
    model = build_model()
    model.neck.add_on_layers[0].weight.data.fill_(float('nan'))
    with pytest.raises(InputError, match='not finite'):
        find_nearest_images(model, build_loader(), 3)
