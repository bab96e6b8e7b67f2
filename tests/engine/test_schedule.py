import pytest

from mmproto.engine import Schedule, build_schedule
from mmproto.errors import InputError

W, J, L = 'warm', 'joint', 'last_layer'


@pytest.mark.parametrize(
    ('settings', 'stages', 'pushes'),
    [
        (
            dict(warm_epochs=2, epochs=7, push_epochs=[3, 5], last_layer_epochs=3),
            [W, W, J, J, L, L, L, J, J, L, L, L, J],
            {3, 8},
        ),
        (
            dict(warm_epochs=1, epochs=5, push_start=2, push_interval=2, last_layer_epochs=1),
            [W, J, J, L, J, J, L],
            {2, 5},
        ),
        (
            dict(warm_epochs=3, epochs=2, push_epochs=[1], last_layer_epochs=2),
            [W, W, L, L],
            {1},
        ),
        (dict(warm_epochs=0, epochs=3, push_epochs=[2], last_layer_epochs=0), [J, J, J], {2}),
    ],
)
def test_stage_of_every_epoch(settings, stages, pushes):
    schedule = Schedule(**settings)
    assert list(schedule.stages) == stages
    assert schedule.pushes == pushes
    assert schedule.total_epochs == len(stages)


def test_the_paper_runs_91_epochs_and_ends_with_patches():
    schedule = Schedule()
    assert schedule.total_epochs == 31 + 3 * 20
    assert schedule.pushes == {10, 40, 70}
    assert [schedule.stages.count(stage) for stage in (W, J, L)] == [5, 26, 60]
    assert schedule.ends_with_patches


def test_a_schedule_that_goes_on_after_the_last_push_is_known():
    assert not Schedule(epochs=32).ends_with_patches
    assert not Schedule(epochs=12, last_layer_epochs=0).ends_with_patches
    assert Schedule(epochs=11, last_layer_epochs=0).ends_with_patches


def test_push_epochs_stand_instead_of_start_and_interval():
    schedule = build_schedule(dict(epochs=4, push_start=2, push_epochs=[1]))
    assert schedule.pushes == {1}


def test_linear_does_not_train_the_last_layer():
    assert build_schedule(dict(epochs=31), tunes_last_layer=False).total_epochs == 31
    assert build_schedule(dict(epochs=31)).total_epochs == 91


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(epochs=10), r'never pushes: no epoch from push_start=10 to 9'),
        (dict(push_epochs=[]), r'push_epochs=\[\]: give a list of epochs'),
        (dict(push_epochs=[1.5]), r'push_epochs=\[1\.5\]: give a list'),
        (dict(push_start='a'), r"schedule\.push_start='a'"),
        (dict(epochs=0), r'schedule\.epochs=0'),
        (dict(warm_epochs=-1), r'schedule\.warm_epochs=-1'),
        (dict(push_interval=0), r'schedule\.push_interval=0'),
        (dict(epochs=5.5), r'schedule\.epochs=5\.5'),
        (dict(epochs=4, push_epochs=[2, 4]), r'push_epochs has \[4\].*0 to 3'),
        (dict(push_epochs=3), r'push_epochs=3: give a list of epochs'),
        (dict(warmup_epochs=1), r"unknown keys \['warmup_epochs'\]"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        build_schedule(settings)
