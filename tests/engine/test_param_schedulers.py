import pytest

from mmproto.engine.param_schedulers import by_stage, ending
from mmproto.errors import InputError

STEP = dict(type='StepLR', step_size=1)


def test_every_stage_has_a_list():
    assert by_stage(dict(a=STEP, b=[STEP, STEP]), 'abc') == dict(a=[STEP], b=[STEP] * 2, c=[])
    assert by_stage([STEP], 'ab') == dict(a=[STEP], b=[STEP])
    assert by_stage(STEP, 'ab') == dict(a=[STEP], b=[STEP])


def test_an_unknown_stage_is_refused():
    with pytest.raises(InputError, match=r"param_scheduler has \['c'\]: the stages .* \['a', 'b'"):
        by_stage(dict(a=[], c=[]), 'ab')


def test_a_scheduler_ends_with_the_epochs_that_it_runs_for():
    configs = [STEP, dict(STEP, by_epoch=False), dict(STEP, end=3), dict(STEP, begin=6)]
    assert [config['end'] for config in ending(configs, 'a', 7, 10)] == [7, 70, 3, 7]
    iterations = dict(STEP, convert_to_iter_based=True)  # MMEngine turns its end into iterations
    assert ending([iterations], 'a', 7, 10)[0]['end'] == 7


def test_one_that_begins_too_late_is_refused():
    with pytest.raises(InputError, match=r'param_scheduler\.a has a StepLR with begin=7, when th'):
        ending([dict(STEP, begin=7)], 'a', 7, 10)
