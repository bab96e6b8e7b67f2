import pytest

from mmproto.engine import PaperSchedule, Stage
from mmproto.errors import InputError

LAST = dict(stage='last_layer', epochs=20, restart=True)


def phase(stage, epochs, push=False):
    return dict(stage=stage, epochs=epochs, push=push)


def test_the_paper_as_a_list():
    assert PaperSchedule().phases() == [
        phase('warm', 5),
        phase('joint', 6, push=True),
        LAST,
        phase('joint', 10, push=True),
        LAST,
        phase('joint', 10, push=True),
        LAST,
    ]


@pytest.mark.parametrize(
    ('numbers', 'phases'),
    [
        (
            dict(warm_epochs=2, epochs=7, push_epochs=[3, 5], last_layer_epochs=0),
            [
                phase('warm', 2),
                phase('joint', 2, push=True),
                phase('joint', 2, push=True),
                phase('joint', 1),
            ],
        ),
        (
            dict(warm_epochs=3, epochs=5, push_epochs=[1, 2], last_layer_epochs=0),
            [phase('warm', 2, push=True), phase('warm', 1, push=True), phase('joint', 2)],
        ),
        (
            dict(warm_epochs=2, epochs=2, push_start=1, push_interval=1, last_layer_epochs=20),
            [phase('warm', 2, push=True), LAST],
        ),
        (
            dict(warm_epochs=0, epochs=2, push_start=0, push_interval=1, last_layer_epochs=20),
            [phase('joint', 1, push=True), LAST, phase('joint', 1, push=True), LAST],
        ),
    ],
)
def test_numbers_as_a_list(numbers, phases):
    assert PaperSchedule(**numbers).phases() == phases


def test_push_epochs_stand_instead_of_start_and_interval():
    numbers = dict(warm_epochs=0, epochs=4, push_start=2, push_epochs=[1], last_layer_epochs=0)
    assert PaperSchedule(**numbers).phases() == [phase('joint', 2, push=True), phase('joint', 2)]


def test_a_solver_has_no_epochs():
    solver = Stage(solver=dict(type='Solver'))
    phases = PaperSchedule(epochs=11).phases(solver)
    assert phases[-2:] == [phase('joint', 6, push=True), dict(stage='last_layer')]
    none = PaperSchedule(epochs=11, last_layer_epochs=0).phases(solver)
    assert none[-1] == phase('joint', 6, push=True)


def test_a_last_push_ends_a_training_whose_batch_norm_moves_on():
    moving = Stage(dict(last_layer=dict(lr=1)), norm_eval=False)
    phases = PaperSchedule().phases(moving)
    assert phases == [*PaperSchedule().phases()[:-1], dict(LAST, push=True)]
    assert PaperSchedule(last_push=False).phases(moving) == PaperSchedule().phases()
    joint_ends = dict(warm_epochs=0, epochs=3, push_epochs=[1], last_layer_epochs=2)
    assert PaperSchedule(**joint_ends).phases(moving)[-1] == phase('joint', 1)
    no_epochs = PaperSchedule(epochs=11, last_layer_epochs=0).phases(moving)
    assert no_epochs[-1] == phase('joint', 6, push=True)


@pytest.mark.parametrize(
    ('numbers', 'message'),
    [
        (dict(epochs=10), r'never pushes: no epoch from push_start=10 to 9'),
        (dict(push_epochs=[]), r'push_epochs=\[\]: give a list of epochs'),
        (dict(push_epochs=[1.5]), r'push_epochs=\[1\.5\]: give a list'),
        (dict(push_start='a'), r"schedule\.push_start='a'"),
        (dict(epochs=0), r'schedule\.epochs=0'),
        (dict(warm_epochs=-1), r'schedule\.warm_epochs=-1'),
        (dict(warm_epochs=99), r'schedule\.warm_epochs=99 of epochs=31: .*lower the one'),
        (dict(push_interval=0), r'schedule\.push_interval=0'),
        (dict(epochs=5.5), r'schedule\.epochs=5\.5: it has to be an integer, at least 1'),
        (dict(warm_epochs=0, epochs=4, push_epochs=[2, 4]), r'push_epochs has \[4\].*0 to 3'),
        (dict(last_push=1), r'schedule\.last_push=1: it has to be True or False'),
        (dict(push_epochs=3), r'push_epochs=3: give a list of epochs'),
    ],
)
def test_numbers_that_cannot_be_are_refused(numbers, message):
    with pytest.raises(InputError, match=message):
        PaperSchedule(**numbers)
