import pytest
import torch
from torch import nn

from mmproto.functional import effective_receptive_field, log_similarity, unfold_patches


def field(network, image, cell, size=(1, 1), prototype=None):
    """Of one patch of a network's map; the prototype is the patch itself unless one is given."""
    leaf = image.clone().requires_grad_()
    features = network(leaf[None])
    columns = features.shape[3] - size[1] + 1
    patches = unfold_patches(features, size)[0, [cell[0] * columns + cell[1]]]
    prototypes = patches.detach().clone() if prototype is None else prototype
    return effective_receptive_field(leaf, patches, prototypes)[0]


def ones(*layers):
    for layer in layers:
        nn.init.ones_(layer.weight)
    return nn.Sequential(*layers)


def test_two_convolutions_see_five_pixels_the_middle_most():
    network = ones(
        nn.Conv2d(2, 3, 3, padding=1, bias=False), nn.Conv2d(3, 4, 3, padding=1, bias=False)
    )
    found = field(network, torch.rand(2, 9, 11), (4, 6))
    paths = torch.tensor([1.0, 2, 3, 2, 1])  # ways through both layers from a pixel to the cell
    expected = torch.zeros(9, 11)
    expected[2:7, 4:9] = torch.outer(paths, paths) / 81
    assert torch.equal(found == 0, expected == 0)
    assert torch.allclose(found, expected)


def test_a_network_that_mixes_nothing_sees_the_cell_alone():
    image = torch.rand(3, 12, 12)
    network = nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(3, 5, 1))
    found = field(network, image, (1, 2))
    expected = torch.zeros(12, 12)
    expected[4:8, 8:12] = 1 / 16
    assert torch.allclose(found, expected)
    found = field(network, image, (1, 0), size=(2, 1))
    assert torch.equal(found > 0, torch.zeros(12, 12, dtype=bool).index_put_(
        (torch.arange(4, 12)[:, None], torch.arange(4)), torch.tensor(True)
    ))  # fmt: skip


def test_it_is_the_slope_of_the_product_by_finite_differences():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2), nn.Sigmoid(), nn.Conv2d(4, 3, 2), nn.Sigmoid()
    ).double()
    image, prototype = torch.rand(2, 7, 8).double(), torch.rand(1, 3).double()
    slopes, step = torch.zeros(7, 8).double(), 1e-6

    @torch.no_grad()
    def product(pixels):
        return float((network(pixels[None])[0, :, 1, 0] * prototype[0]).sum())

    for channel, row, column in torch.cartesian_prod(*map(torch.arange, image.shape)):
        more = image.clone()
        more[channel, row, column] += step
        slopes[row, column] += abs(product(more) - product(image)) / step
    found = field(network, image, (1, 0), prototype=prototype)
    assert torch.allclose(found, (slopes / slopes.sum()).float(), atol=1e-6)
    assert float(found.sum()) == pytest.approx(1)


def test_a_prototype_on_its_own_patch_has_one_where_the_gradients_of_scores_vanish():
    torch.manual_seed(0)
    network, image = nn.Conv2d(3, 4, 3), torch.rand(3, 8, 8)
    leaf = image.clone().requires_grad_()
    patch = network(leaf[None])[0, :, 2, 2]
    prototype = patch.detach()
    scores = [
        log_similarity((patch - prototype).square().sum()),
        torch.cosine_similarity(patch, prototype, dim=0),
    ]
    for score in scores:
        assert torch.autograd.grad(score, leaf, retain_graph=True)[0].abs().max() < 1e-6
    found = field(network, image, (2, 2))
    assert float(found.sum()) == pytest.approx(1)
    assert torch.equal(found.nonzero().amin(dim=0), torch.tensor([2, 2]))
    assert torch.equal(found.nonzero().amax(dim=0), torch.tensor([4, 4]))


def test_a_patch_that_moves_with_no_pixel_has_none():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    nn.init.constant_(network[0].weight, -1)
    nn.init.zeros_(network[0].bias)
    assert not field(network, torch.rand(1, 3, 3) + 1, (1, 1)).any()
