import re

import pytest
from mmengine.runner import Runner

from mmproto.engine import Phase, Schedule
from mmproto.engine.time_left import TimeLeft
from tests.toy import train_config

LAST = Phase('tune', 2)
JOINT = Phase('joint', 2, push=True)
SCHEDULE = Schedule((Phase('begin', 1), JOINT, LAST, JOINT, LAST))


def timed(starts, first=0, schedule=SCHEDULE):
    """What is known when epochs have started at these times, the first of them number ``first``."""
    time_left = TimeLeft(schedule)
    for epoch, now in enumerate(starts, first):
        time_left.epoch_starts(epoch, now)
    return time_left


def test_nothing_is_said_before_an_epoch_was_timed():
    assert timed([1000]).left(0) is None
    assert timed([1000]).in_words(0) == ''
    assert timed([1000], first=5).in_words(5) == ''  # resumed


@pytest.mark.parametrize(
    ('durations', 'left', 'untimed'),
    [
        # everything is taken for the first epoch
        ([10], 8 * 10, ['joint', 'tune', 'push']),
        # 'joint' is timed, 'tune' is taken for the mean of 10 and 30
        ([10, 30], 3 * 30 + 4 * 20, ['tune', 'push']),
        # the push of the third epoch took 100 more, which is not what 'tune' is like
        ([10, 30, 130], 4 * 20 + 30 + 130, ['tune']),
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
    time_left = timed([500, 507], first=4)  # one epoch of 'tune'
    assert time_left.left(5) == 2 * 7 + 2 * 7
    assert time_left.untimed(5) == ['joint', 'push']
    assert time_left.in_words(5) == 'about 28 s left (joint, push not timed yet)'


def test_a_solver_counts_with_the_epoch_before_it():
    pushed = Phase('joint', 2, push=True)
    time_left = timed([0, 10], schedule=Schedule((pushed, Phase('solve'), pushed, Phase('solve'))))
    assert time_left.untimed(1) == ['push', 'solve']
    time_left.epoch_starts(2, 60)
    assert time_left.left(2) == 10 + 50
    assert time_left.untimed(2) == []


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
    schedule = Schedule((Phase('joint', 1, push=True), Phase('joint', 10)))
    assert timed([0, seconds], schedule=schedule).in_words(1) == words


def test_what_is_left_of_an_epoch_that_is_on():
    schedule = Schedule((Phase('joint', 3, push=True),))
    assert timed([0], schedule=schedule).left_now(0, now=50) is None
    time_left = timed([0, 100], schedule=schedule)
    assert [time_left.left_now(1, now) for now in (100, 130, 400)] == [200, 170, 0]


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
