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
