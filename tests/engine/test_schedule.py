import pytest

from mmproto.engine import build_schedule, build_stages
from mmproto.errors import InputError

W, J, L = 'warm', 'joint', 'last_layer'
STAGES = build_stages(
    dict(
        warm=dict(prototypes=dict(lr=1)),
        joint=dict(backbone=dict(lr=1), neck=dict(lr=1)),
        last_layer=dict(last_layer=dict(lr=1)),
        tune_all=dict(backbone=dict(lr=1), last_layer=dict(lr=1)),
        solve=dict(solver=dict(type='Solver')),
    )
)


def build(cfg, stages=STAGES, tunes_last_layer=True):
    return build_schedule(cfg, stages, tunes_last_layer)


LIST = [
    dict(stage='warm', epochs=2),
    dict(stage='tune_all', epochs=3, push=True),
    dict(stage='last_layer', epochs=2, restart=True),
    dict(stage='tune_all', epochs=1, push=True),
    dict(stage='solve'),
    dict(stage='last_layer', epochs=3, restart=True),
    dict(stage='last_layer', epochs=1),
]


def test_a_list_of_phases():
    schedule = build(LIST)
    assert schedule.stages == (W, W, *3 * ['tune_all'], L, L, 'tune_all', L, L, L, L)
    assert schedule.total_epochs == 12
    assert schedule.pushes == {4, 7}
    assert schedule.restarts == {5, 8}
    assert [schedule.solvers_after(epoch) for epoch in range(12)] == (
        [()] * 7 + [('solve',)] + [()] * 4
    )


def test_schedulers_run_up_to_the_next_restart_of_their_stage():
    schedule = build(LIST)
    assert schedule.run_length(0) == 2
    assert schedule.run_length(2) == 3 + 1  # goes on after the push
    assert schedule.run_length(5) == 2
    assert schedule.run_length(8) == 3 + 1


@pytest.mark.parametrize(
    ('numbers', 'stages', 'pushes'),
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
            dict(warm_epochs=2, epochs=2, push_epochs=[1], last_layer_epochs=2),
            [W, W, L, L],
            {1},
        ),
        (dict(warm_epochs=0, epochs=3, push_epochs=[2], last_layer_epochs=0), [J, J, J], {2}),
    ],
)
def test_the_papers_numbers(numbers, stages, pushes):
    schedule = build(numbers)
    assert list(schedule.stages) == stages
    assert schedule.pushes == pushes


def test_the_paper_runs_91_epochs_and_ends_with_patches():
    schedule = build({})
    assert schedule.total_epochs == 31 + 3 * 20
    assert schedule.pushes == {10, 40, 70}
    assert schedule.restarts == {11, 41, 71}
    assert [schedule.stages.count(stage) for stage in (W, J, L)] == [5, 26, 60]
    assert schedule.run_length(5) == 26  # the decay runs on across pushes
    assert schedule.run_length(11) == schedule.run_length(41) == 20
    assert schedule.ends_with_patches


def test_without_tuning_the_last_layer_has_no_epochs():
    assert build({}, tunes_last_layer=False).total_epochs == 31
    assert build(LIST, tunes_last_layer=False) == build(LIST)


def test_the_papers_last_layer_can_be_solved():
    stages = {**STAGES, 'last_layer': STAGES['solve']}
    schedule = build(dict(epochs=21), stages)
    assert schedule.total_epochs == 21
    assert schedule.solvers_after(10) == schedule.solvers_after(20) == ('last_layer',)
    assert build(dict(epochs=21), stages, tunes_last_layer=False).solvers_after(10) == ()


def pushed_then(*phases):
    return build([dict(stage='joint', epochs=1, push=True), *phases])


def test_whether_it_ends_with_patches_follows_from_what_trains():
    assert pushed_then().ends_with_patches
    assert pushed_then(dict(stage='solve')).ends_with_patches
    assert pushed_then(dict(stage='last_layer', epochs=1)).ends_with_patches
    for stage in ('warm', 'joint', 'tune_all'):
        assert not pushed_then(dict(stage=stage, epochs=1)).ends_with_patches
    swapped = {**STAGES, 'last_layer': STAGES['joint'], 'joint': STAGES['last_layer']}
    phases = [dict(stage='joint', epochs=1, push=True), dict(stage='last_layer', epochs=1)]
    assert not build(phases, swapped).ends_with_patches
    assert not build(dict(epochs=32)).ends_with_patches


def test_the_last_layer_after_a_push_belongs_to_it():
    tune, more = dict(stage='last_layer', epochs=2), dict(stage='joint', epochs=2, push=True)
    assert pushed_then(tune, more, tune).pushed_ends == {2, 6}
    assert pushed_then(dict(stage='solve'), more, dict(stage='solve')).pushed_ends == {0, 2}
    assert pushed_then(more, dict(stage='joint', epochs=1), tune).pushed_ends == {0, 2}


@pytest.mark.parametrize(
    ('cfg', 'message'),
    [
        (None, r"lacks \['schedule'\]"),
        ('joint', r"schedule='joint': give a list of phases"),
        (['joint'], r"schedule=\['joint'\]: give a list of phases"),
        ([], 'never pushes'),
        ([dict(stage='joint', epochs=3)], r'never pushes: give one of its phases push=True'),
        (dict(warmup_epochs=1), r"unknown keys \['warmup_epochs'\]: it takes \['epochs', "),
        ([dict(stage='joint', epoch=3)], r"schedule\[0\] has unknown keys \['epoch'\]"),
        ([dict(epochs=3)], r"schedule\[0\] lacks \['stage'\]: name one of \['joint', "),
        (
            [dict(stage='joint', epochs=1, push=True), dict(stage='cold', epochs=1)],
            r"stages lacks \['cold'\], which optim_wrapper\.schedule\[1\] runs: it has \['joint', ",
        ),
        ([dict(stage='joint', epochs=0)], r'schedule\[0\]\.epochs=0: .* integer, at least 1'),
        ([dict(stage='joint', epochs=1.5)], r'schedule\[0\]\.epochs=1\.5'),
        ([dict(stage='joint', push=True)], r'schedule\[0\]\.epochs=None'),
        ([dict(stage='joint', epochs=1, push=3)], r'schedule\[0\]\.push=3: .* True or False'),
        ([dict(stage='joint', epochs=1, restart='a')], r"schedule\[0\]\.restart='a'"),
        ([dict(stage='solve', epochs=1)], r"schedule\[0\] has \['epochs'\], but 'solve' is a solv"),
        ([dict(stage='solve', push=True)], r"schedule\[0\] has \['push'\], but 'solve'"),
        ([dict(stage='solve'), dict(stage='joint', epochs=1, push=True)], "begins with 'solve'"),
    ],
)
def test_what_cannot_be_is_refused(cfg, message):
    with pytest.raises(InputError, match=message):
        build(cfg)


def test_a_missing_stage_of_the_paper_is_named():
    stages = {name: STAGES[name] for name in ('warm', 'joint')}
    with pytest.raises(InputError, match=r"stages lacks \['last_layer'\].*or give it no epochs"):
        build({}, stages)
    assert build(dict(epochs=11, last_layer_epochs=0), stages).total_epochs == 11
