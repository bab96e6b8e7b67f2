import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmproto.functional import cluster_cost, l1_cost, separation_cost


def costs_by_loop(distances, labels, prototype_class):
    cluster, separation = [], []
    for image, label in enumerate(labels.tolist()):
        own = [
            d
            for d, c in zip(distances[image].tolist(), prototype_class.tolist())
            if c in (label, -1)
        ]
        other = [
            d
            for d, c in zip(distances[image].tolist(), prototype_class.tolist())
            if c not in (label, -1)
        ]
        cluster += [min(own)] if own else []
        separation += [min(other)] if other else []
    mean = lambda values: sum(values) / max(len(values), 1)  # noqa: E731
    return mean(cluster), mean(separation)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=5),
    st.lists(st.integers(-1, 3), min_size=1, max_size=6),
    st.integers(0, 1000),
)
def test_costs_equal_a_plain_loop(labels, classes, seed):
    labels, classes = torch.tensor(labels), torch.tensor(classes)
    generator = torch.Generator().manual_seed(seed)
    distances = torch.rand(len(labels), len(classes), generator=generator, requires_grad=True)
    cluster, separation = costs_by_loop(distances, labels, classes)
    ours = cluster_cost(distances, labels, classes), separation_cost(distances, labels, classes)
    torch.testing.assert_close(torch.stack(ours), torch.tensor([cluster, separation]))
    sum(ours).backward()
    assert bool(distances.grad.isfinite().all())


def test_l1_counts_the_connections_to_other_classes():
    weight = torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
    assert l1_cost(weight, torch.tensor([0, 0, 1])) == 4 + 5 + 3
    assert l1_cost(weight, torch.tensor([-1, -1, -1])) == 21
