import pytest
import torch
from mmpretrain.registry import MODELS

from mmproto.functional import own_connections
from mmproto.models.heads import ASSUMPTIONS, MovedPrototypes, MoveEffect
from tests.toy import model_config

CLASSES = 3
METRICS = ['log', 'linear', 'cosine']


def random_maps(shape, generator):
    return 2 * torch.rand(shape, generator=generator) - 1


def random_head(similarity, generator):
    """A head with other weights, sizes and numbers of prototypes each time."""
    count, side = (int(torch.randint(1, 4, (), generator=generator)) for _ in range(2))
    config = model_config(
        similarity=similarity,
        in_channels=4,
        prototypes_per_class=count,
        prototype_size=min(side, 2),
    )
    head = MODELS.build(config['head']).eval()
    with torch.no_grad():
        head.prototype_vectors.copy_(random_maps(head.prototype_vectors.shape, generator))
        head.constrain()
        own = own_connections(head.prototype_class, CLASSES)
        spread = torch.rand((), generator=generator)
        noise = torch.randn(own.shape, generator=generator)
        head.set_last_layer(own + spread * noise)
    return head


def moved_by(head, features, size, generator):
    """The prototypes, moved part of the way to patches of the images, or straight away from them.

    What is moved so is the worst that can happen to these images.
    """
    patches = head.patches([features]).flatten(0, 1)
    chosen = torch.randint(len(patches), (len(head.prototype_vectors),), generator=generator)
    old = head.prototype_vectors.detach()
    step = size * (2 * torch.rand(len(old), 1, generator=generator) - 1)
    new = old.flatten(1) + step * (patches[chosen] - old.flatten(1))
    new = new.view_as(old).clone()
    head.similarity.constrain(new)
    return new


def test_no_certified_prediction_changes_in_a_thousand_models():
    """1,000 models of 6 images and a move each; some patches are close to prototypes."""
    found = {name: [] for name in METRICS}
    for seed in range(1000):
        generator = torch.Generator().manual_seed(seed)
        similarity = METRICS[seed % len(METRICS)]
        head = random_head(similarity, generator)
        features = random_maps((6, 4, 4, 4), generator)
        if head.prototype_vectors.shape[-1] == 1 and seed % 2:
            noise = 0.01 * torch.rand(4, generator=generator)
            features[:3, :, 1, 2] = head.prototype_vectors[:3, :, 0, 0].detach() + noise
        size = 10 ** (-3 * torch.rand((), generator=generator)).item()
        moved = MovedPrototypes(head, moved_by(head, features, size, generator))
        labels = torch.randint(CLASSES, (6,), generator=generator)
        effect = moved.effect([features], labels)
        head.prototype_vectors.data.copy_(moved.prototypes)
        assert torch.equal(effect.after, head([features]).argmax(dim=1))
        assert bool(effect.unchanged[effect.certified].all()), seed
        assert bool(effect.certified[effect.by_moves].all())
        if effect.by_theorem is not None:
            assert bool(effect.certified[effect.by_theorem].all())
        found[similarity].append(
            torch.stack([effect.by_moves, effect.certified, effect.unchanged], dim=1)
        )
    for name, columns in found.items():
        by_moves, certified, unchanged = torch.cat(columns).double().mean(dim=0).tolist()
        assert 0.1 < by_moves < certified - 0.05, name
        assert certified < unchanged < 0.99, name


@pytest.mark.parametrize('similarity', METRICS)
def test_the_moves_are_distances_of_vectors(similarity):
    generator = torch.Generator().manual_seed(0)
    head = random_head(similarity, generator)
    other = moved_by(head, random_maps((6, 4, 4, 4), generator), 0.5, generator)
    moves = MovedPrototypes(head, other).moves
    expected = (other - head.prototype_vectors).detach().flatten(1).norm(dim=1)
    assert moves.tolist() == pytest.approx(expected.tolist(), rel=1e-4)


@pytest.mark.parametrize('similarity', METRICS)
def test_moves_within_the_radius_are_certified_and_change_nothing(similarity):
    generator = torch.Generator().manual_seed(1)
    head = random_head(similarity, generator)
    features, labels = random_maps((6, 4, 4, 4), generator), torch.zeros(6, dtype=torch.long)
    there = MovedPrototypes(head, moved_by(head, features, 1.0, generator))
    radius = there.effect([features], labels, with_radius=True).radius
    assert bool((radius > 0).all())
    old = head.prototype_vectors.detach()
    step = 0.99 * radius.min() / there.moves.max()
    near = (old + step * (there.prototypes - old)).float()
    if similarity != 'cosine':  # else it leaves the sphere
        effect = MovedPrototypes(head, near).effect([features], labels)
        assert bool((effect.by_moves & effect.unchanged).all())


def test_a_similarity_without_a_metric_certifies_nothing():
    generator = torch.Generator().manual_seed(2)
    head = random_head(dict(type='ManhattanSimilarity'), generator)
    features = random_maps((6, 4, 4, 4), generator)
    moved = MovedPrototypes(head, head.prototype_vectors.detach())
    effect = moved.effect([features], torch.zeros(6, dtype=torch.long), with_radius=True)
    assert bool(effect.unchanged.all())
    assert moved.moves is effect.by_moves is effect.certified is effect.radius is None
    assert effect.by_theorem is effect.assumptions is None


def test_the_theorem_is_about_the_log_similarity_alone():
    generator = torch.Generator().manual_seed(3)
    features = random_maps((6, 4, 4, 4), generator)
    labels = torch.zeros(6, dtype=torch.long)
    for similarity in METRICS:
        head = random_head(similarity, generator)
        moved = MovedPrototypes(head, head.prototype_vectors.detach())
        assert (moved.effect([features], labels).by_theorem is None) == (similarity != 'log')


def test_the_assumptions_are_in_their_columns():
    generator = torch.Generator().manual_seed(4)
    head = random_head('log', generator)
    features = random_maps((6, 4, 4, 4), generator)
    head.set_last_layer(own_connections(head.prototype_class, CLASSES).float())
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    stay = MovedPrototypes(head, head.prototype_vectors.detach()).effect([features], labels)
    holds = dict(zip(ASSUMPTIONS, stay.assumptions.T))
    assert torch.equal(holds['correct'], stay.before == labels)
    assert all(bool(holds[name].all()) for name in ('A1', 'A3', 'A4'))
    away = moved_by(head, features, 1.0, generator)
    head.set_last_layer(head.last_layer.weight - 0.5)
    gone = MovedPrototypes(head, away).effect([features], labels)
    holds = dict(zip(ASSUMPTIONS, gone.assumptions.T))
    after = head.outputs([features], prototypes=away).locations
    same = (after == head.outputs([features]).locations).flatten(1).all(dim=1)
    assert torch.equal(holds['A1'], same)
    assert not bool(same.all())
    assert bool(holds['A3'].all())
    assert not bool(holds['A4'].any())


def test_a_map_of_one_patch_has_no_other():
    generator = torch.Generator().manual_seed(5)
    head = random_head('log', generator)
    side = head.prototype_vectors.shape[-1]
    features = random_maps((6, 4, side, side), generator)
    away = moved_by(head, features, 1.0, generator)
    effect = MovedPrototypes(head, away).effect([features], torch.zeros(6, dtype=torch.long))
    assert torch.equal(effect.certified, effect.unchanged)  # nothing is left open then


def test_batches_are_put_one_after_another():
    def part(values, certified):
        values = torch.tensor(values)
        return MoveEffect(values, values, certified, certified, None, None, None)

    whole = MoveEffect.concatenate([part([1, 2], None), part([3], None)])
    assert whole.before.tolist() == [1, 2, 3]
    assert whole.certified is None
    known = MoveEffect.concatenate([part([1], torch.tensor([True]))] * 2).apply(lambda x: x[:1])
    assert known.certified.tolist() == [True]
