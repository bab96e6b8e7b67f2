"""The figures of the reference implementation, forward, backward, push and pruning."""

import numpy as np
import pytest
import torch
from mmpretrain.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmpretrain.structures import DataSample

from mmproto.explanation.high_activation import high_activation_box, region_box, upsample
from mmproto.functional import (
    ReceptiveField,
    speaks_for_its_class,
)
from tests.toy import DATA, STAGES, golden, golden_model, golden_weights

CASES = ['log_1x1', 'log_2x2_bottleneck', 'linear_1x1']


@pytest.fixture(params=CASES)
def case(request):
    arrays, meta = golden(request.param)
    model = golden_model(arrays, meta).train()
    return {key: torch.from_numpy(np.asarray(value)) for key, value in arrays.items()}, meta, model


def samples(labels):
    return [DataSample().set_gt_label(int(label)) for label in labels]


def assert_close(ours, expected, relative):
    """Within a share of the largest expected value."""
    scale = float(expected.abs().max())
    torch.testing.assert_close(ours, expected, rtol=0, atol=relative * scale)


def test_forward(case):
    arrays, _, model = case
    feats = model.extract_feat(arrays['x'])
    outputs, head = model.head.outputs(feats), model.head
    maps = head.similarity.distance_maps(feats[-1], head.prototype_vectors)
    assert_close(feats[-1], arrays['out/add_on_output'], 1e-5)
    assert_close(maps, arrays['out/distances'], 1e-5)
    assert_close(outputs.distances, arrays['out/min_distances'], 1e-5)
    assert_close(outputs.scores, arrays['out/similarities'], 1e-5)
    assert_close(outputs.logits, arrays['out/logits'], 1e-5)
    assert_close(model.head(feats), arrays['out/logits'], 1e-5)


def test_losses_and_gradients(case):
    arrays, _, model = case
    losses = model.loss(arrays['x'], samples(arrays['y']))
    weights = dict(cross_entropy=1, cluster=0.8, separation=-0.08, l1=1e-4)
    ours = dict(cross_entropy='cls', cluster='cluster', separation='separation', l1='l1')
    for name, weight in weights.items():
        expected = weight * arrays[f'loss/{name}'].float()
        torch.testing.assert_close(losses[f'loss_{ours[name]}'], expected, rtol=1e-5, atol=0)
    total = sum(losses.values())
    torch.testing.assert_close(total, arrays['loss/total'].float(), rtol=1e-5, atol=0)

    total.backward()
    gradients = golden_weights({k: v.numpy() for k, v in arrays.items()}, 'grad/')
    assert {name for name, _ in model.named_parameters()} == set(gradients)
    for name, parameter in model.named_parameters():
        assert_close(parameter.grad, gradients[name], 1e-4)


@pytest.mark.parametrize(
    ('stage', 'key'), [('warm', 'warm'), ('joint', 'joint'), ('last_layer', 'last')]
)
def test_three_steps_of_each_stage(case, stage, key):
    arrays, _, model = case
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.get('ProtoPNetOptimWrapperConstructor')
    wrapper = constructor(dict(optimizer=dict(type='Adam'), schedule={}, stages=STAGES))(model)
    wrapper.activate(stage, model, iterations=3)
    for _ in range(3):
        wrapper.update_params(sum(model.loss(arrays['x'], samples(arrays['y'])).values()))
    expected = golden_weights({k: v.numpy() for k, v in arrays.items()}, f'after3_{key}/')
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.data, expected[name], rtol=0, atol=1e-5)


def push(arrays, model):
    model.eval()
    with torch.no_grad():
        feats = model.extract_feat(arrays['push/x'])
        images = torch.arange(len(feats[-1]))
        nearest = model.head.nearest_patches(feats, arrays['push/y'], images)
        model.head.push(nearest)
    return feats, nearest


def test_push(case):
    arrays, meta, model = case
    _, nearest = push(arrays, model)
    size = (meta['img_size'],) * 2
    torch.testing.assert_close(
        model.head.prototype_vectors.data, arrays['push/prototype_vectors'], rtol=0, atol=1e-6
    )
    assert_close(nearest.distance.double(), arrays['push/min_distances'], 1e-5)

    field = ReceptiveField().through(3, stride=2, padding=1)
    patch_size = (meta['prototype_size'],) * 2
    maps = model.head.score_maps(nearest.distance_map[None])[0].detach().numpy()
    for prototype, label in enumerate(model.head.prototype_class.tolist()):
        image = int(model.head.prototype_image[prototype])
        cell = model.head.prototype_location[prototype].tolist()
        box = high_activation_box(upsample(maps[prototype], size))
        expected = arrays['push/high_activation_boxes'][prototype].tolist()
        assert [image, *box, label] == expected
        expected = arrays['push/receptive_field_boxes'][prototype].tolist()
        assert [image, *field.box(cell, size, patch_size), label] == expected


def test_pruning(case):
    arrays, _, model = case
    feats, _ = push(arrays, model)
    head, labels = model.head, arrays['push/y']
    everything = head.nearest_images(feats, torch.arange(len(labels)), len(labels))
    k, expected = int(arrays['nearest/k']), arrays['nearest/class_ids']
    nearest = head.nearest_images(feats, torch.arange(len(labels)), k)
    assert torch.equal(nearest.image, everything.image[:, :k])
    classes = nearest.classes(labels)
    assert torch.equal(classes.sort(dim=1).values, expected.sort(dim=1).values)
    # The reference's distances are off by 1e-6, which decides the order of near equals.
    for j, place in (classes != expected).nonzero().tolist():
        near = (everything.distance[j] - everything.distance[j, place]).abs() < 1e-5
        assert expected[j, place] in everything.classes(labels)[j, near]

    keep = speaks_for_its_class(classes, head.prototype_class, int(arrays['prune/threshold']))
    assert (~keep).nonzero().flatten().tolist() == arrays['prune/pruned'].tolist()
    head.prune(keep)
    with torch.no_grad():
        logits = model(arrays['x'])
    # Pushed prototypes equal patches of x, where the reference's distances are not exact.
    assert_close(logits, arrays['prune/logits_after'], 2e-4)


def test_high_activation_crops():
    arrays = np.load(DATA / 'high_activation_crops.npz')
    boxes = [high_activation_box(m, int(arrays['percentile'])) for m in arrays['maps']]
    assert boxes == [tuple(box) for box in arrays['boxes'].tolist()]


def test_the_box_of_few_pixels_is_around_them():
    activation = np.zeros((100, 100))
    activation[10:14, 20:30] = 1
    assert high_activation_box(activation) == (10, 14, 20, 30)
    assert high_activation_box(np.ones((5, 7))) == (0, 5, 0, 7)


def test_the_box_of_a_point_leaves_out_another():
    activation = np.zeros((100, 100))
    activation[10:14, 20:30] = 2
    activation[60:80, 70:75] = 1
    assert region_box(activation, (12, 25)) == (10, 14, 20, 30)
    assert high_activation_box(activation) == (10, 80, 20, 75)
    assert region_box(activation, (79, 74)) == (60, 80, 70, 75)
    assert region_box(np.ones((5, 7)), (2, 2)) == (0, 5, 0, 7)
