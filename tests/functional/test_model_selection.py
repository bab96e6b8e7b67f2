import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmproto.errors import InputError
from mmproto.functional import held_out, sparsest_within_one_standard_error, standard_error


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 5))
def test_every_fifth_image_of_a_class_is_held_out(labels, every):
    seen, expected = dict.fromkeys(labels, 0), []
    for label in labels:
        seen[label] += 1
        expected.append(seen[label] % every == 0)
    if any(expected):
        assert held_out(torch.tensor(labels), every).tolist() == expected
    else:
        with pytest.raises(InputError, match=f'no class has {every} training images'):
            held_out(torch.tensor(labels), every)


def test_the_standard_error_is_the_binomial_and_never_zero():
    assert standard_error(0.5, 10_000) == pytest.approx(0.005, rel=1e-3)
    assert standard_error(1.0, 96) == pytest.approx((0.98 * 0.02 / 100) ** 0.5)


def test_the_sparsest_within_one_standard_error_is_taken():
    # 1.4 percent is the standard error of 96 of 96: one mistake is within, two are not.
    accuracies = [94 / 96, 95 / 96, 1.0, 95 / 96]
    assert sparsest_within_one_standard_error(accuracies, [0, 5, 9, 20], 96) == 1
    assert sparsest_within_one_standard_error(accuracies, [0, 9, 9, 20], 96) == 2
    assert sparsest_within_one_standard_error(accuracies, [0, 5, 9, 3], 96) == 3
