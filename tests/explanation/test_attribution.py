import sys

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS

from mmproto.errors import InputError
from mmproto.explanation import attribution
from mmproto.explanation.attribution import (
    NOISE,
    SAMPLES,
    SEED,
    STEPS,
    check_attribution,
    find_attribution,
    path_attributions,
)
from mmproto.explanation.explain import explain
from mmproto.explanation.high_activation import region_box, upsample
from mmproto.explanation.prototype_maps import prototype_maps
from tests.toy import model_config

GRADIENTS = ['integrated_gradients', 'smooth_grad']
PATCH = (slice(8, 16), slice(24, 32))  # where the planted model finds its prototype


@pytest.fixture
def model():
    torch.manual_seed(0)
    return MODELS.build(model_config()).eval()


@pytest.fixture
def image():
    return torch.randn(3, 24, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def smoothless(monkeypatch):
    """The sums over the channels as they are."""
    monkeypatch.setattr(attribution, 'smooth', lambda values: values.detach().numpy())


@torch.no_grad()
def found(model, image, prototypes):
    outputs = model.head.outputs(model.extract_feat(image[None]))
    return prototype_maps(model.head, outputs, prototypes)


def maps(name, model, image, prototypes):
    return find_attribution(name)(model, image, found(model, image, prototypes))


def plain_gradient(model, image, prototype):
    image = image.clone().requires_grad_()
    score = model.head.pre_logits(model.extract_feat(image[None]))[0, prototype]
    return torch.autograd.grad(score, image)[0]


def test_upsampling_is_that_of_the_paper(model, image):
    scores = found(model, image, [1, 4]).scores
    for one, expected in zip(maps('upsampling', model, image, [1, 4]), scores):
        assert np.array_equal(one, upsample(expected, (24, 32)))


def test_smooth_grad_agrees_with_a_plain_loop(model, image, smoothless):
    spread = NOISE * float(image.max() - image.min())
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.normal(0.0, spread, (SAMPLES, 3, 24, 32), generator=generator)
    for one, prototype in zip(maps('smooth_grad', model, image, [1, 4]), [1, 4]):
        gradients = [plain_gradient(model, image + n, prototype).abs() for n in noise]
        expected = torch.stack(gradients).mean(0).sum(0).numpy()
        assert np.allclose(one, expected, rtol=1e-3, atol=1e-6)


def test_integrated_gradients_agree_with_a_plain_loop(model, image, smoothless):
    places, weights = np.polynomial.legendre.leggauss(STEPS)  # on -1 to 1
    for one, prototype in zip(maps('integrated_gradients', model, image, [1, 4]), [1, 4]):
        gradients = [
            plain_gradient(model, float(place + 1) / 2 * image, prototype) * float(weight) / 2
            for place, weight in zip(places, weights)
        ]
        expected = (sum(gradients) * image).sum(0).clamp(min=0).numpy()
        assert np.allclose(one, expected, rtol=1e-3, atol=1e-6)


def test_integrated_gradients_sum_to_the_difference_of_the_scores(model, image, monkeypatch):
    monkeypatch.setattr(attribution, 'STEPS', 1000)  # the score has kinks

    def score(inputs):
        return model.head.pre_logits(model.extract_feat(inputs[None]))[0]

    with torch.no_grad():
        expected = score(image) - score(torch.zeros_like(image))
    sums = path_attributions(model, image, list(range(6))).sum(dim=(1, 2, 3))
    assert expected.abs().min() > 1e-3
    assert torch.allclose(sums, expected, rtol=0.01, atol=1e-3)


def planted():
    """A model whose only prototype is found where an image is bright, 4 x 4 pixels a cell."""
    model = MODELS.build(
        model_config(num_classes=2, in_channels=1, prototypes_per_class=None, num_prototypes=1)
    ).eval()
    model.backbone = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Conv2d(3, 1, 1))
    torch.nn.init.constant_(model.backbone[1].weight, 0.5)
    torch.nn.init.zeros_(model.backbone[1].bias)
    model.neck = torch.nn.Identity()
    model.extract_feat = lambda inputs: (model.backbone(inputs),)
    torch.nn.init.constant_(model.head.prototype_vectors, 2)
    return model


def planted_image():
    image = 0.1 * torch.randn(3, 40, 40, generator=torch.Generator().manual_seed(0))
    image[(slice(None), *PATCH)] += 1
    return image


@pytest.mark.parametrize('name', ['upsampling', *GRADIENTS])
def test_maps_mark_the_place_that_matters(name):
    model, image = planted(), planted_image()
    (one,) = maps(name, model, image, [0])
    assert one.shape == (40, 40)
    assert one.dtype == np.float32
    row, column = np.unravel_index(one.argmax(), one.shape)
    assert 8 <= row < 16
    assert 24 <= column < 32
    top, bottom, left, right = region_box(one, (row, column))
    assert top >= 4
    assert bottom <= 20
    assert left >= 20
    assert right <= 36


@pytest.mark.parametrize('size', [1, (3, 2)])
def test_the_receptive_field_is_all_that_the_nearest_patch_sees(size):
    torch.manual_seed(0)
    config = model_config(prototype_size=size)
    config['backbone'] = dict(
        type='TIMMBackbone', model_name='resnet10t', features_only=True, out_indices=(0,)
    )
    model, image = MODELS.build(config).eval(), torch.randn(3, 64, 64)
    (one,) = maps('receptive_field', model, image, [3])
    before = found(model, image, [3]).scores.max()
    outside = torch.where(torch.from_numpy(one) > 0, image, torch.randn(3, 64, 64))
    assert 0 < one.mean() < 0.5
    row, column = found(model, image, [3]).locations[0]
    assert found(model, outside, [3]).scores[0, row, column] == pytest.approx(before, abs=1e-4)


@pytest.mark.parametrize('name', ['upsampling', *GRADIENTS])
def test_prototypes_do_not_change_each_others_maps(name, model, image):
    together = maps(name, model, image, [0, 3, 5])
    for one, prototype in zip(together, [0, 3, 5]):
        assert np.allclose(one, maps(name, model, image, [prototype])[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize('name', GRADIENTS)
def test_nothing_is_left_behind(name, model, image):
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    with torch.no_grad():
        maps(name, model, image, [0])
    assert torch.equal(torch.rand(1), expected)
    assert not image.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize('name', GRADIENTS)
def test_an_explanation_has_the_boxes_of_its_attribution(name, model, image):
    (plain,) = explain(model, image[None], [None])
    (one,) = explain(model, image[None], [None], attribution=name)
    assert (plain.attribution, one.attribution) == ('upsampling', name)
    assert one.target.logit == plain.target.logit
    assert [match.box for match in one.most_similar] != [match.box for match in plain.most_similar]
    for match, old in zip(one.most_similar, plain.most_similar):
        (expected,) = maps(name, model, image, [match.prototype])
        highest = np.unravel_index(expected.argmax(), expected.shape)
        assert match.box == region_box(expected, highest)
        assert match.location == old.location
        assert match.activation.min() == 0
        assert match.activation.max() == 1
        assert np.corrcoef(match.activation.ravel(), expected.ravel())[0, 1] > 0.999


def test_unknown_names_and_models_are_refused(model):
    with pytest.raises(InputError, match=r"attribution='gradcam' is unknown.*'smooth_grad'"):
        find_attribution('gradcam')
    with pytest.raises(InputError, match='only known for VGG, ResNet and DenseNet'):
        check_attribution('receptive_field', model)


@pytest.mark.parametrize('name', GRADIENTS)
def test_a_missing_captum_is_named(name, model, monkeypatch):
    monkeypatch.setattr(sys, 'path', [])
    monkeypatch.delitem(sys.modules, 'captum', raising=False)
    with pytest.raises(InputError, match=r"pip install 'mmproto\[explain\]'"):
        check_attribution(name, model)
    check_attribution('upsampling', model)
