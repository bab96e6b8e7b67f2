"""Pushes that leave out what is forbidden, compared with plain loops over all patches."""

import cv2
import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from mmengine.config import ConfigDict
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, MODELS

from mmproto.datasets.birds import make_birds
from mmproto.engine.allowed_patches import (
    allowed_patches,
    check_forbidden,
    standing_on_forbidden,
)
from mmproto.engine.push import push_prototypes
from mmproto.errors import InputError
from tests.engine.test_nearest_patch_search import COUNT, assert_same, build_loader, build_model
from tests.toy import loader, model_config

SMALL = loader(count=13)


@torch.no_grad()
def all_patches(model, dataset):
    """Patches (N, H', W', K), each image by itself."""
    h, w = model.head.prototype_vectors.shape[2:]
    found = []
    for image in range(len(dataset)):
        data = model.data_preprocessor(dict(inputs=[dataset[image]['inputs']]), training=False)
        features = model.extract_feat(data['inputs'])[-1]
        rows, columns = features.shape[2] - h + 1, features.shape[3] - w + 1
        found.append(model.head.patches([features])[0].unflatten(0, (rows, columns)))
    return torch.stack(found)


def push_by_loop(model, patches, labels, left_out):
    """[image, row, column] that a push has to choose; ``left_out(place)`` are forbidden."""
    chosen = []
    for vector, label in zip(model.head.prototype_vectors, model.head.prototype_class.tolist()):
        places = [
            (image, row, column)
            for image in range(len(patches))
            for row in range(patches.shape[1])
            for column in range(patches.shape[2])
            if labels[image] == label and not left_out((image, row, column))
        ]
        distances = [float(distance(model, vector.flatten(), patches[place])) for place in places]
        chosen.append([*places[int(np.argmin(distances))]])
    return chosen


@torch.no_grad()
def distance(model, one, other):
    return model.head.similarity.distance(one, other)


def places_of(head):
    return torch.cat([head.prototype_image[:, None], head.prototype_location], dim=1).tolist()


def forbid_chosen(model, dataloader, fraction):
    """Push, forbid every second patch with that fraction of all patches around, and go back."""
    before = model.head.prototype_vectors.data.clone()
    push_prototypes(model, dataloader)
    chosen = torch.tensor(places_of(model.head))[::2]
    patches = all_patches(model, dataloader.dataset)
    apart = distance(model, patches.flatten(0, 2)[:, None], patches[chosen.unbind(1)])
    radius = float(f'{apart.amin(dim=1).quantile(fraction):.3g}')  # of no patch exactly
    model.head.forbid(chosen, torch.full((len(chosen),), radius))
    model.head.prototype_vectors.data.copy_(before)
    return chosen.tolist(), radius


@pytest.mark.parametrize(
    ('head', 'fraction'),
    [({}, 0), ({}, 0.3), (dict(prototype_size=(2, 1)), 0.3), (dict(similarity='cosine'), 0.3)],
)
def test_forbidden_patches_and_what_is_near_are_left_out(head, fraction):
    torch.manual_seed(0)
    model, dataloader = MODELS.build(model_config(**head)).eval(), Runner.build_dataloader(SMALL)
    chosen, radius = forbid_chosen(model, dataloader, fraction)
    forbidden = [tuple(place) for place in chosen]
    patches = all_patches(model, dataloader.dataset)

    def left_out(place):
        near = radius and any(
            float(distance(model, patches[place], patches[other])) <= radius for other in forbidden
        )
        return place in forbidden or near

    free = push_by_loop(model, patches, dataloader.dataset.labels, lambda place: False)
    expected = push_by_loop(model, patches, dataloader.dataset.labels, left_out)
    push_prototypes(model, dataloader)
    assert places_of(model.head) == expected
    assert [one == other for one, other in zip(free, expected)][::2] == [False] * 3
    count = sum(left_out(place) for place in np.ndindex(patches.shape[:3]))
    assert count == pytest.approx(max(3, fraction * patches[..., 0].numel()), rel=0.02)
    assert standing_on_forbidden(model, dataloader.dataset) == []


def test_prototypes_on_forbidden_patches_are_named():
    model, dataset = build_model(), build_loader().dataset
    push_prototypes(model, build_loader())
    assert standing_on_forbidden(model, dataset) == []
    chosen = torch.tensor(places_of(model.head))
    model.head.forbid(chosen[[1, 4]], torch.zeros(2))
    expected = [j for j in range(6) if places_of(model.head)[j] in chosen[[1, 4]].tolist()]
    assert standing_on_forbidden(model, dataset) == expected
    model.head.forbid(chosen[:1], torch.tensor([1e9]))
    assert standing_on_forbidden(model, dataset) == [*range(6)]


def run_process(rank, world_size, folder):
    torch.distributed.init_process_group(
        'gloo', f'file://{folder}/rendezvous', rank=rank, world_size=world_size
    )
    torch.set_num_threads(1)
    model = build_model('resnet10t')
    forbid_chosen(model, build_loader(), 0.3)
    if rank:  # statistics of its own, as in training: those of rank 0 have to count
        model.backbone.timm_model.bn1.running_mean += rank
    push_prototypes(model, build_loader(batch_size=4))
    torch.save(model.state_dict(), f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


def test_two_processes_change_no_bit(tmp_path):
    model = build_model('resnet10t')
    forbidden, _ = forbid_chosen(model, build_loader(), 0.3)
    push_prototypes(model, build_loader(batch_size=16))
    assert not any(place in forbidden for place in places_of(model.head))
    mp.start_processes(run_process, (2, str(tmp_path)), 2, start_method='fork')
    for rank in range(2):
        assert_same(torch.load(tmp_path / f'{rank}.pth'), model.state_dict())


@pytest.fixture(scope='module')
def birds(tmp_path_factory):
    """Whole images with the boxes of their birds."""
    root = make_birds(tmp_path_factory.mktemp('data') / 'birds', 3, train=3, test=1, size=64)
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(64, 48)),
        dict(type='PackInputs'),
    ]
    return DATASETS.build(
        dict(type='AnnotatedCUB', data_root=str(root), split='train', pipeline=pipeline)
    )


@pytest.mark.parametrize('size', [(1, 1), (2, 3)])
def test_patches_outside_the_box_are_left_out(birds, size):
    torch.manual_seed(0)
    model = MODELS.build(model_config(prototype_size=size)).eval()
    patches = all_patches(model, birds)
    infos = [birds.get_data_info(image) for image in range(len(birds))]

    def outside(place):
        image, row, column = place
        height, width = cv2.imread(infos[image]['img_path']).shape[:2]
        x1, y1, x2, y2 = infos[image]['bbox']
        y = (row + size[0] / 2) / (patches.shape[1] + size[0] - 1) * height
        x = (column + size[1] / 2) / (patches.shape[2] + size[1] - 1) * width
        return not (y1 <= y < y2 and x1 <= x < x2)

    labels = [info['gt_label'] for info in infos]
    free = push_by_loop(model, patches, labels, lambda place: False)
    expected = push_by_loop(model, patches, labels, outside)
    assert free != expected
    model.head.only_on_objects.fill_(True)
    dataloader = Runner.build_dataloader(ConfigDict({**loader(), 'dataset': birds}))
    push_prototypes(model, dataloader)
    assert places_of(model.head) == expected


def test_nothing_is_computed_where_nothing_is_forbidden():
    assert allowed_patches(build_model(), None) is None


def test_a_class_without_a_patch_left_is_named_before_anything_changes():
    model, dataloader = build_model(), build_loader()
    images = [image for image in range(COUNT) if dataloader.dataset.labels[image] == 1]
    size = all_patches(model, dataloader.dataset).shape[1:3]
    everything = torch.tensor([[image, *place] for image in images for place in np.ndindex(size)])
    model.head.forbid(everything, torch.zeros(len(everything)))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(InputError, match=r'1 classes, 1 \(class 1\) .* are forbidden; apply the'):
        push_prototypes(model, dataloader)
    for name, value in model.state_dict().items():
        assert torch.equal(value.nan_to_num(), before[name].nan_to_num()), name


def test_forbidden_patches_of_other_data_are_refused():
    model, dataset = build_model(), build_loader().dataset
    model.head.forbid(torch.tensor([[COUNT, 0, 0]]), torch.zeros(1))
    with pytest.raises(InputError, match=f'has {COUNT} images, but a patch of image {COUNT} is'):
        check_forbidden(model.head, dataset)
    for radius in (0.0, 1.0):
        model = build_model()
        model.head.forbid(torch.tensor([[0, 99, 0]]), torch.tensor([radius]))
        check_forbidden(model.head, dataset)
        with pytest.raises(InputError, match='images of another size'):
            push_prototypes(model, build_loader())
