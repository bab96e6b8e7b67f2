import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS

from mmproto.explanation.attribution import smooth
from mmproto.explanation.effective_field import (
    HALF,
    effective_fields,
    share_in,
    smallest_region,
)
from mmproto.explanation.explain import explain
from mmproto.functional import Box
from tests.toy import model_config

VIT = dict(
    type='TIMMBackbone',
    model_name='vit_tiny_patch16_224',
    features_only=True,
    out_indices=(-1,),
    img_size=(32, 48),
    depth=2,
)


def test_the_smallest_region_is_the_fewest_pixels_and_their_equals():
    field = np.array([[0.4, 0.1], [0.3, 0.2]], np.float32)
    assert smallest_region(field, 0.5).tolist() == [[True, False], [True, False]]
    assert smallest_region(field, 0.3).tolist() == [[True, False], [False, False]]
    assert smallest_region(field, 1).all()
    assert smallest_region(np.float32([[1, 1, 0]]), 0.5).tolist() == [[True, True, False]]
    assert not smallest_region(np.zeros((2, 2), np.float32), 0.5).any()


def test_the_share_in_a_box():
    field = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert share_in(field, Box(1, 3, 2, 4)) == pytest.approx((6 + 7 + 10 + 11) / 66)
    assert np.isnan(share_in(np.zeros((3, 4), np.float32), Box(0, 3, 0, 4)))


@pytest.mark.parametrize(
    'changes',
    [
        dict(),
        dict(similarity='cosine'),
        dict(prototype_size=(3, 2), similarity='linear'),
        dict(backbone=VIT),
    ],
    ids=['log', 'cosine', 'several cells', 'transformer'],
)
def test_fields_equal_a_plain_loop(changes):
    """Of each match by itself, by the gradient of one product written out."""
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    backbone = changes.pop('backbone', None)
    config = model_config(**changes)
    if backbone:
        config['backbone'] = backbone
    model = MODELS.build(config).eval()
    inputs = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    (prediction,) = explain(model, inputs, [1])
    every = dict.fromkeys(match.prototype for match in prediction.matches)
    fields = effective_fields(model, inputs[0], prediction.matches, len(every))
    assert list(fields) == list(every)
    first = effective_fields(model, inputs[0], prediction.matches, 3)
    assert list(first) == list(every)[:3]
    assert effective_fields(model, inputs[0], prediction.matches, 0) == {}
    for match in prediction.matches:
        if match.prototype in first:
            assert first[match.prototype].in_box == fields[match.prototype].in_box
        image = inputs[0].clone().requires_grad_()
        features = model.extract_feat(image[None])[-1][0]
        vector = model.head.prototype_vectors[match.prototype].detach()
        row, column = match.location
        height, width = vector.shape[1:]
        product = (features[:, row : row + height, column : column + width] * vector).sum()
        expected = torch.autograd.grad(product, image)[0].abs().sum(0)
        expected /= expected.sum()
        found = fields[match.prototype]
        for box, share in ((match.box, found.in_box), (match.cell, found.in_cell)):
            inside = expected[box.top : box.bottom, box.left : box.right]
            assert share == pytest.approx(float(inside.sum()), abs=1e-5)
        region = smallest_region(smooth(expected[None])[0], HALF)
        assert (found.region != region).mean() < 0.01  # where rounding decides
        assert 0 < found.region.mean() < 0.5
    assert all(weight.grad is None for weight in model.parameters())
