import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from mmproto.engine.first_not_finite import first_not_finite, is_finite, weights_not_finite
from tests.toy import model_config


class Root(nn.Module):
    """Square root, written over its input: that of a negative number is not finite."""

    def forward(self, x):
        return x.sqrt_()


def network(*modules):
    return nn.Sequential(nn.Flatten(), *modules).eval()


def images():
    return torch.full((2, 3, 2), -1.0)


def test_the_first_module_is_named_and_not_one_that_passes_it_on():
    # the second root gets what is not finite already
    model = network(nn.Sequential(nn.Identity(), Root()), nn.BatchNorm1d(6), Root())
    assert first_not_finite(model, images()) == ('1.1', 'in 1.1')
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_finite_numbers_and_images_that_are_not():
    model = network(nn.Linear(6, 2))
    assert first_not_finite(model, images())[0] is None
    assert 'computed again' in first_not_finite(model, images())[1]
    module, origin = first_not_finite(model, torch.full((2, 3, 2), float('inf')))
    assert module is None
    assert origin.startswith('with the images')


def test_weights_that_are_not_finite_are_said_to_be():
    model = network(nn.Linear(6, 2), nn.Linear(2, 2))
    with torch.no_grad():
        model[2].bias[1] = float('nan')
    assert first_not_finite(model, images())[1] == 'in 2, whose weights are not finite any more'
    assert weights_not_finite(model) == ['2.bias']


@pytest.mark.parametrize(
    ('spoilt', 'named'),
    [
        ('backbone.conv.weight', 'backbone.conv'),
        ('backbone.bn.running_var', 'backbone.bn'),
        ('neck.add_on_layers.0.bias', 'neck.add_on_layers.0'),
        ('head.prototype_vectors', 'head'),  # compared by a method, which is no module
        ('head.last_layer.weight', 'head.last_layer'),
    ],
)
def test_every_part_of_a_classifier_is_found(spoilt, named):
    model = MODELS.build(model_config()).eval()
    assert weights_not_finite(model) == []  # though a prototype that was not pushed has no distance
    model.state_dict()[spoilt].fill_(float('nan'))
    assert weights_not_finite(model) == [spoilt]
    samples = [DataSample().set_gt_label(label) for label in range(3)]
    batch = dict(inputs=torch.rand(3, 3, 16, 16), data_samples=samples, mode='loss')
    module, origin = first_not_finite(model, **batch)
    assert module == named
    assert origin == f'in {named}, whose weights are not finite any more'


def test_numbers_are_found_in_lists_and_dictionaries():
    good, bad = torch.ones(2), torch.tensor([1, float('nan')])
    assert is_finite([good, dict(a=[good], b='text'), None])
    assert not is_finite(dict(a=(good, [bad])))
    assert not is_finite(bad)
