import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmproto.functional import certified_radius, certify, log_similarity, own_connections
from mmproto.functional.certificate import logit_leads

PROTOTYPE_CLASS = torch.tensor([0, 0, 1, 1, 2, 2])
SCORES = dict(log=lambda r: log_similarity(r.square()), linear=lambda r: -r.square())


def nearest(patches, prototypes):
    """Distance of each image's nearest patch (N, L, D) to each prototype (P, D): (N, P)."""
    return torch.cdist(patches, prototypes.expand(len(patches), -1, -1)).amin(dim=1)


def case(seed, plain=False, images=10):
    """Random patches of some images, prototypes and a last layer."""
    generator = torch.Generator().manual_seed(seed)
    patches = torch.rand(images, 5, 3, generator=generator, dtype=torch.float64)
    prototypes = torch.rand(6, 3, generator=generator, dtype=torch.float64)
    own = own_connections(PROTOTYPE_CLASS, 3).double()
    weight = own if plain else own + torch.randn(3, 6, generator=generator, dtype=torch.float64)
    return patches, prototypes, weight, generator


def moved(prototypes, moves, generator):
    """Prototypes moved by those distances, in any direction."""
    way = torch.randn(prototypes.shape, generator=generator, dtype=torch.float64)
    return prototypes + moves[:, None] * way / way.norm(dim=1, keepdim=True)


def worst(patches, prototypes, moves, weight, score):
    """Prototypes moved straight at, or away from, the first image's nearest patches."""
    distances = torch.cdist(patches[0], prototypes)
    nearest_patch = patches[0][distances.argmin(dim=0)]
    first, second = (score(distances.amin(dim=0)) @ weight.t()).topk(2).indices
    sign = (weight[second] - weight[first]).sign()[:, None]
    way = nearest_patch - prototypes
    return prototypes + sign * moves[:, None] * way / way.norm(dim=1, keepdim=True)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 10**6), st.sampled_from([1e-3, 1e-2, 0.1, 0.5]), st.sampled_from([*SCORES]))
def test_no_move_changes_what_is_certified(seed, size, similarity):
    """Each example has 10 images and 11 moves, one of them the worst for the first image."""
    score = SCORES[similarity]
    patches, prototypes, weight, generator = case(seed)
    moves = size * torch.rand(6, generator=generator, dtype=torch.float64)
    distances = nearest(patches, prototypes)
    before = (score(distances) @ weight.t()).argmax(dim=1)
    held = certify(distances, moves, weight, score)
    leads = logit_leads(distances, moves, weight, score)
    tries = [moved(prototypes, moves, generator) for _ in range(10)]
    for after in [*tries, worst(patches, prototypes, moves, weight, score)]:
        logits = score(nearest(patches, after)) @ weight.t()
        assert bool((logits.argmax(dim=1) == before)[held].all())
        lead = logits.gather(1, before[:, None]) - logits
        other = torch.arange(3) != before[:, None]
        assert bool((lead >= leads)[other].all())


def test_it_is_not_empty():
    shares = []
    for seed in range(30):
        patches, prototypes, weight, _ = case(seed, plain=True)
        distances = nearest(patches, prototypes)
        shares.append(certify(distances, torch.full((6,), 0.01), weight, SCORES['log']))
    share = torch.cat(shares).double().mean().item()
    assert 0.5 < share < 1


def test_a_bound_of_one_prototype_by_hand():
    weight = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    distances = torch.tensor([[0.5, 1.0]])
    leads = logit_leads(distances, torch.tensor([0.1, 0.2]), weight, lambda r: 5 - r)
    # Predicted is class 1, 2 * 4 against 4.5; at worst 2 * 3.8 against 4.6.
    assert leads[0, 1] == float('inf')
    assert leads[0, 0].item() == pytest.approx(2 * 3.8 - 4.6, abs=1e-3)
    assert leads[0, 0] < 2 * 3.8 - 4.6


def test_nothing_moves_and_nothing_changes():
    patches, prototypes, weight, _ = case(0)
    assert bool(certify(nearest(patches, prototypes), torch.zeros(6), weight, SCORES['log']).all())


@pytest.mark.parametrize('similarity', [*SCORES])
def test_the_radius_is_where_certification_ends(similarity):
    patches, prototypes, weight, _ = case(3)
    distances, score = nearest(patches, prototypes), SCORES[similarity]
    radius = certified_radius(distances, weight, score)
    assert bool((radius > 0).all())
    assert bool(certify(distances, radius[:, None], weight, score).all())
    assert not bool(certify(distances, radius[:, None] + 1e-5, weight, score).any())


def test_a_tie_has_no_radius():
    weight = torch.ones(2, 2)
    assert certified_radius(torch.ones(1, 2), weight, SCORES['log']).item() == 0
