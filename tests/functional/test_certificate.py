import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmproto.functional import (
    certified_radius,
    certify,
    followed_interval,
    log_similarity,
    moved_interval,
    own_connections,
)
from mmproto.functional.certificate import logit_leads

PROTOTYPE_CLASS = torch.tensor([0, 0, 1, 1, 2, 2])
SCORES = dict(log=lambda r: log_similarity(r.square()), linear=lambda r: -r.square())


def by_moves(distances, moves, score):
    """Scores before, and the lowest and highest after prototypes move by so much."""
    least, most = moved_interval(distances, moves)
    return score(distances), score(most), score(least)


def by_following(patches, prototypes, after, score):
    """The same, if the nearest patches are compared with what the prototypes become."""
    moves = (prototypes - after).norm(dim=1)
    distances = torch.cdist(patches, prototypes.expand(len(patches), -1, -1))
    first, second = distances.topk(2, dim=1, largest=False).values.unbind(dim=1)
    new = torch.cdist(patches, after.expand(len(patches), -1, -1))
    followed = new.gather(1, distances.argmin(dim=1, keepdim=True)).squeeze(1)
    least, most = followed_interval(followed, second, moves)
    assert bool((least >= (first - moves).clamp(min=0) - 1e-12).all())
    assert bool((most <= first + moves + 1e-12).all())
    return score(first), score(most), score(least)


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
    held = certify(*by_moves(distances, moves, score), weight)
    leads = logit_leads(*by_moves(distances, moves, score), weight)
    tries = [moved(prototypes, moves, generator) for _ in range(10)]
    for after in [*tries, worst(patches, prototypes, moves, weight, score)]:
        logits = score(nearest(patches, after)) @ weight.t()
        unchanged = logits.argmax(dim=1) == before
        assert bool(unchanged[held].all())
        followed = certify(*by_following(patches, prototypes, after, score), weight)
        assert bool(unchanged[followed].all())
        assert bool(followed[held].all())
        lead = logits.gather(1, before[:, None]) - logits
        other = torch.arange(3) != before[:, None]
        assert bool((lead >= leads)[other].all())


@pytest.mark.parametrize(('size', 'least', 'least_followed'), [(0.01, 0.5, 0.9), (0.1, 0, 0.25)])
def test_it_is_not_empty(size, least, least_followed):
    fractions = []
    for seed in range(30):
        patches, prototypes, weight, generator = case(seed, plain=True)
        distances, moves = nearest(patches, prototypes), torch.full((6,), size).double()
        after = moved(prototypes, moves, generator)
        alone = certify(*by_moves(distances, moves, SCORES['log']), weight)
        followed = certify(*by_following(patches, prototypes, after, SCORES['log']), weight)
        fractions.append(torch.stack([alone, followed]).double().mean(dim=1))
    alone, followed = torch.stack(fractions).mean(dim=0).tolist()
    assert least <= alone < followed < 1
    assert followed > least_followed


def test_a_patch_that_stays_the_nearest_has_its_own_distance_alone():
    followed, others, moves = torch.tensor([[0.3, 0.3]]), torch.tensor([[0.8, 0.5]]), torch.ones(2)
    least, most = followed_interval(followed, others, 0.4 * moves)
    assert torch.equal(most, followed)
    assert least[0].tolist() == pytest.approx([0.3, 0.1])  # the second may be overtaken


def test_a_bound_of_one_prototype_by_hand():
    weight = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    distances = torch.tensor([[0.5, 1.0]])
    moves = torch.tensor([0.1, 0.2])
    leads = logit_leads(*by_moves(distances, moves, lambda r: 5 - r), weight)
    # Predicted is class 1, 2 * 4 against 4.5; at worst 2 * 3.8 against 4.6.
    assert leads[0, 1] == float('inf')
    assert leads[0, 0].item() == pytest.approx(2 * 3.8 - 4.6, abs=1e-3)
    assert leads[0, 0] < 2 * 3.8 - 4.6


def test_nothing_moves_and_nothing_changes():
    patches, prototypes, weight, _ = case(0)
    intervals = by_moves(nearest(patches, prototypes), torch.zeros(6), SCORES['log'])
    assert bool(certify(*intervals, weight).all())


def radius_of(distances, weight, score):
    return certified_radius(
        score(distances), lambda moves: by_moves(distances, moves, score)[1:], weight
    )


@pytest.mark.parametrize('similarity', [*SCORES])
def test_the_radius_is_where_certification_ends(similarity):
    patches, prototypes, weight, _ = case(3)
    distances, score = nearest(patches, prototypes), SCORES[similarity]
    radius = radius_of(distances, weight, score)
    assert bool((radius > 0).all())
    assert bool(certify(*by_moves(distances, radius[:, None], score), weight).all())
    beyond = by_moves(distances, radius[:, None] + 1e-5, score)
    assert not bool(certify(*beyond, weight).any())


def test_a_tie_has_no_radius():
    assert radius_of(torch.ones(1, 2), torch.ones(2, 2), SCORES['log']).item() == 0


def test_scores_that_never_change_the_prediction_have_no_end():
    weight = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    distances = torch.tensor([[0.5, 0.5], [0.1, 0.2]])
    radius = radius_of(distances, weight, lambda r: 1 + 1 / (1 + r))
    assert radius.tolist() == [float('inf')] * 2
