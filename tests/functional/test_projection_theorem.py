import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmproto.functional import (
    EPSILON,
    certify,
    log_similarity,
    moved_interval,
    own_connections,
    projection_theorem,
)

PROTOTYPE_CLASS = torch.tensor([0, 1, 2])
OWN = own_connections(PROTOTYPE_CLASS, 3)


def score(distances):
    return log_similarity(distances.square())


def theorem(distances, moves, labels, weight=OWN, prototype_class=PROTOTYPE_CLASS, same=None):
    same = torch.ones_like(distances, dtype=torch.bool) if same is None else same
    weight = weight.double()
    logits = score(distances) @ weight.t()
    return projection_theorem(distances, moves, logits, labels, same, weight, prototype_class)


def deltas_by_search(distances, moves, label):
    """Change of a logit for the best of many deltas, as the paper states A2."""
    changes = []
    for delta in torch.linspace(1e-9, 1 - 1e-9, 20_001, dtype=torch.float64).tolist():
        grow, shrink = (1 + delta) ** 0.5 - 1, 1 - (2 - delta) ** -0.5
        holds = all(
            move <= grow * r and r <= (1 - delta) ** 0.5
            if prototype == label
            else move <= min(grow, shrink) * r - EPSILON**0.5
            for prototype, (r, move) in enumerate(zip(distances.tolist(), moves.tolist()))
        )
        changes += [(1 + delta) * (2 - delta)] if holds else []
    return torch.tensor(min(changes)).log().item() if changes else float('inf')


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.01, 0.05, 0.2]))
def test_the_assumption_on_moves_equals_a_search(seed, size):
    generator = torch.Generator().manual_seed(seed)
    distances = 1.5 * torch.rand(1, 3, generator=generator, dtype=torch.float64)
    distances[:, 1:] += 0.5
    moves = size * torch.rand(3, generator=generator, dtype=torch.float64)
    found = theorem(distances, moves, torch.tensor([0]))
    expected = deltas_by_search(distances[0], moves, 0)
    if expected == float('inf'):  # the search may miss an interval narrower than its grid
        assert not found.small_moves or found.change.item() >= 0.69
    else:
        assert bool(found.small_moves)
        assert abs(found.change.item() - expected) < 1e-3
        assert found.change.item() <= expected + 1e-6


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6))
def test_what_the_theorem_certifies_is_certified_by_ours(seed):
    generator = torch.Generator().manual_seed(seed)
    distances = torch.rand(40, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (40,), generator=generator)
    distances[torch.arange(40), labels] *= 0.05
    moves = 0.01 * torch.rand(3, generator=generator, dtype=torch.float64)
    moves *= distances.amin(dim=0) / 0.05
    by_theorem = theorem(distances, moves, labels).certified
    least, most = moved_interval(distances, moves)
    by_ours = certify(score(distances), score(most), score(least), OWN)
    assert bool(by_ours[by_theorem].all())


def test_each_assumption_counts():
    distances = torch.tensor([[0.05, 1.0, 1.0]], dtype=torch.float64)
    moves, label = torch.tensor([0.001, 0.01, 0.01]), torch.tensor([0])
    holds = theorem(distances, moves, label)
    assert bool(holds.certified)
    assert bool(holds.lead > 2 * holds.change)

    wrong = theorem(distances, moves, torch.tensor([1]))
    assert not wrong.correct
    elsewhere = torch.tensor([[True, False, True]])
    other_patch = theorem(distances, moves, label, same=elsewhere)
    assert not other_patch.same_patches
    far = theorem(distances, 100 * moves, label)
    assert not far.small_moves
    assert far.change.item() == float('inf')
    uneven = theorem(distances, moves, label, prototype_class=torch.tensor([0, 1, 1]))
    assert not uneven.equal_counts
    trained = theorem(distances, moves, label, weight=OWN.double() - 0.1)
    assert not trained.plain_weights
    for case in (wrong, other_patch, far, uneven, trained):
        assert not case.certified
    near = theorem(distances.new_tensor([[0.9, 1.0, 1.0]]), moves, label)
    assert bool(near.correct & near.same_patches & near.small_moves)
    assert not near.certified  # it leads by too little
