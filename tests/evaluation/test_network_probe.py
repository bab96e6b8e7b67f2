import pytest
import torch
from mmpretrain.registry import MODELS

from mmproto.evaluation.network_probe import NetworkProbe
from tests.toy import model_config


@pytest.fixture(name='network')
def network_fixture():
    torch.manual_seed(0)
    return NetworkProbe(MODELS.build(model_config()).eval())


@pytest.mark.parametrize('count', [1, 16, 37])
def test_outputs_are_those_of_the_images_one_by_one(network, count):
    images = torch.rand(count, 3, 16, 16)
    outputs = network.outputs(images)
    for row, image in enumerate(images):
        alone = network.model.head.outputs(network.model.extract_feat(image[None]))
        torch.testing.assert_close(outputs.scores[row], alone.scores[0])
        torch.testing.assert_close(outputs.feature_map[row], alone.feature_map[0])
        assert torch.equal(outputs.locations[row], alone.locations[0])
    assert len(outputs.logits) == count
    assert torch.equal(outputs.prototype_class, network.model.head.prototype_class)
    assert network.passes == count


def test_neighbours_change_no_bit(network):
    images = torch.rand(20, 3, 16, 16)
    every = network.outputs(images).scores
    assert torch.equal(network.outputs(images[3:8]).scores, every[3:8])


def test_the_slope_is_that_of_each_image_and_its_prototype(network):
    images, prototypes = torch.rand(19, 3, 16, 16), torch.arange(19) % 6
    scores, slopes = network.slope(images, prototypes)
    assert not slopes.requires_grad
    for row in (0, 7, 18):
        leaf = images[row][None].requires_grad_()
        score = network.model.head.pre_logits(network.model.extract_feat(leaf))[0, prototypes[row]]
        torch.testing.assert_close(scores[row], score.detach())
        torch.testing.assert_close(slopes[row], torch.autograd.grad(score, leaf)[0][0])
    assert network.passes == 2 * 19
    assert all(parameter.grad is None for parameter in network.model.parameters())
