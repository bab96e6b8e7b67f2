import re

import pytest
from mmengine.runner import Runner

from mmproto.engine.schedule import Schedule
from mmproto.engine.time_left import TimeLeft
from tests.toy import train_config

# warm, joint, joint + push, last_layer x 2, joint, joint + push, last_layer x 2
SCHEDULE = Schedule(warm_epochs=1, epochs=5, push_epochs=[2, 4], last_layer_epochs=2)


def timed(starts, first=0, schedule=SCHEDULE):
    """What is known when epochs have started at these times, the first of them number ``first``."""
    time_left = TimeLeft(schedule)
    for epoch, now in enumerate(starts, first):
        time_left.epoch_starts(epoch, now)
    return time_left


def test_the_schedule_is_the_one_that_the_figures_are_of():
    assert SCHEDULE.stages == (
        'warm', 'joint', 'joint', 'last_layer', 'last_layer',
        'joint', 'joint', 'last_layer', 'last_layer',
    )  # fmt: skip
    assert SCHEDULE.pushes == {2, 6}


def test_nothing_is_said_before_an_epoch_was_timed():
    assert timed([1000]).left(0) is None
    assert timed([1000]).in_words(0) == ''
    assert timed([1000], first=5).in_words(5) == ''  # resumed


@pytest.mark.parametrize(
    ('durations', 'left', 'untimed'),
    [
        # everything is taken for a warm epoch
        ([10], 8 * 10, ['joint', 'last_layer', 'push']),
        # joint epochs are timed; the nearest to last_layer is warm
        ([10, 30], 3 * 30 + 4 * 10, ['last_layer', 'push']),
        # the push of the third epoch took 100 more
        ([10, 30, 130], 4 * 10 + 30 + 130, ['last_layer']),
        ([10, 30, 130, 4], 3 * 4 + 30 + 130, []),
        # the mean of 4 and 6, of which three are left
        ([10, 30, 130, 4, 6], 30 + 130 + 2 * 5, []),
        # the mean of 30 and 50 does not matter any more
        ([10, 30, 130, 4, 6, 50], 130 + 2 * 5, []),
        ([10, 30, 130, 4, 6, 50, 130, 5], 5, []),
    ],
)
def test_what_is_left_follows_from_what_was_timed(durations, left, untimed):
    starts = [1000 + sum(durations[:epoch]) for epoch in range(len(durations) + 1)]
    time_left = timed(starts)
    assert time_left.left(len(durations)) == left
    assert time_left.untimed(len(durations)) == untimed


def test_a_resumed_run_knows_what_it_has_timed_itself():
    time_left = timed([500, 507], first=4)  # one epoch of the last layer
    assert time_left.left(5) == 2 * 7 + 2 * 7
    assert time_left.untimed(5) == ['joint', 'push']
    assert time_left.in_words(5) == 'about 28 s left (joint, push not timed yet)'


@pytest.mark.parametrize(
    ('seconds', 'words'),
    [
        (0.2, 'about 2 s left'),
        (9.9, 'about 99 s left'),
        (10, 'about 2 min left'),
        (590, 'about 98 min left'),
        (600, 'about 1.7 h left'),
        (86400, 'about 240.0 h left'),
    ],
)
def test_words(seconds, words):
    schedule = Schedule(warm_epochs=0, epochs=11, push_epochs=[0], last_layer_epochs=0)
    assert timed([0, seconds], schedule=schedule).in_words(1) == words


@pytest.mark.slow
def test_a_training_says_it(tmp_path):
    Runner.from_cfg(train_config(tmp_path, log_level='INFO')).train()
    (log,) = tmp_path.glob('*/*.log')
    lines = re.findall(r'Epoch (\d) of 6 is a (.*)\.\n', log.read_text())
    assert [int(epoch) for epoch, _ in lines] == [1, 2, 3, 4, 5, 6]
    said = [line for _, line in lines]
    assert said[0] == "'warm' epoch: neck, prototypes train"
    assert re.fullmatch(
        r"'warm' epoch: neck, prototypes train; about \d+ s left "
        r'\(joint, last_layer, push not timed yet\)',
        said[1],
    )
    assert said[4].endswith(' s left (last_layer not timed yet)')
    assert re.fullmatch(r"'last_layer' epoch: last_layer train; about \d+ s left", said[5])
