import time

import pytest
import torch

from mmproto.apis.benchmark.cost import costs_in_turn, peak_bytes, time_in_turn


@pytest.mark.skipif(torch.cuda.is_available(), reason='of a CPU')
def test_memory_is_that_of_the_worst_moment():
    kept = torch.rand(1000, 1000)

    def three_at_once():
        one = kept + 1
        two = one + 1
        three = two + one
        del one, two
        return three + 1

    assert peak_bytes(three_at_once) == pytest.approx(3 * kept.nbytes, rel=1e-3)
    assert peak_bytes(lambda: kept.add_(1)) < 100


def test_functions_take_turns_and_the_median_counts():
    calls = []

    def sleeper(name, *seconds):
        naps = iter(seconds)

        def sleep():
            calls.append(name)
            time.sleep(next(naps))

        return sleep

    taken = time_in_turn(
        {'a': sleeper('a', 0.3, 0.01, 0.02, 0.4), 'b': sleeper('b', 0, 0.1, 0.1, 0.1)}, repeats=3
    )
    assert calls == ['a', 'b'] * 4
    assert 0.02 <= taken['a'] < 0.1 <= taken['b']  # the mean of a would be 0.14


def test_costs_have_both():
    cost = costs_in_turn({'zeros': lambda: torch.ones(2**20)}, repeats=1)['zeros']
    assert cost.megabytes == pytest.approx(4, rel=0.01)
    assert cost.seconds > 0
