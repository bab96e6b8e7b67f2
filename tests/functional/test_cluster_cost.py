import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmproto.functional import cluster_cost
from tests.functional.nearest_by_loop import mean_of_nearest_by_loop


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=5),
    st.lists(st.integers(-1, 3), min_size=1, max_size=6),
    st.integers(0, 1000),
)
def test_it_equals_a_plain_loop_over_the_own_prototypes(labels, classes, seed):
    distances = torch.rand(len(labels), len(classes), generator=torch.manual_seed(seed))
    distances.requires_grad_()
    cost = cluster_cost(distances, torch.tensor(labels), torch.tensor(classes))
    expected = mean_of_nearest_by_loop(
        distances, labels, lambda label: [j for j, c in enumerate(classes) if c in (label, -1)]
    )
    torch.testing.assert_close(cost, torch.tensor(expected))
    cost.backward()
    assert bool(distances.grad.isfinite().all())


def test_the_mean_over_processes_is_that_of_all_images_however_many_count_on_each():
    distances, labels = (
        torch.rand(6, 4),
        torch.tensor([[1, 1], [0, 0], [0, 0], [0, 1], [0, 0], [1, 0]]),
    )
    classes = torch.tensor([0, 0, 1, 1])

    def average(count):
        count.copy_(torch.tensor(4 / 2))  # four labels, two processes

    halves = [
        cluster_cost(distances[half], labels[half].bool(), classes, average)
        for half in (slice(0, 2), slice(2, 6))
    ]
    torch.testing.assert_close(
        torch.stack(halves).mean(), cluster_cost(distances, labels.bool(), classes)
    )
