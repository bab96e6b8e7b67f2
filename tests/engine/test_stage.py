import pytest

from mmproto.engine import build_stages
from mmproto.errors import InputError


def test_groups_and_settings_are_told_apart():
    stage = build_stages(
        dict(tune=dict(neck=dict(lr=1), optimizer=dict(type='AdamW'), norm_eval=True))
    )['tune']
    assert stage.groups == dict(neck=dict(lr=1))
    assert stage.optimizer == dict(type='AdamW')
    assert stage.norm_eval
    assert stage.solver is None


@pytest.mark.parametrize(
    ('groups', 'stops', 'keeps'),
    [
        (['last_layer'], True, True),
        (['prototypes'], True, False),
        (['neck', 'prototypes'], False, False),
        (['backbone', 'last_layer'], False, False),
    ],
)
def test_norms_stand_still_where_neither_backbone_nor_neck_trains(groups, stops, keeps):
    settings = {group: dict(lr=1) for group in groups}
    stage = build_stages(dict(tune=settings))['tune']
    assert (stage.stops_norms, stage.keeps_patches) == (stops, keeps)
    as_the_reference = build_stages(dict(tune=dict(settings, norm_eval=False)))['tune']
    assert not as_the_reference.stops_norms
    assert not as_the_reference.keeps_patches
    assert build_stages(dict(tune=dict(settings, norm_eval=True)))['tune'].stops_norms


def test_a_solver_keeps_patches():
    assert build_stages(dict(solve=dict(solver=dict(type='S'))))['solve'].keeps_patches


@pytest.mark.parametrize(
    ('stages', 'message'),
    [
        (None, r"lacks \['stages'\]"),
        (dict(a=None), r'stages\.a=None: say what it trains'),
        (dict(a=dict(head=dict(lr=1))), r"stages\.a has \['head'\]: a stage takes the groups"),
        (dict(a=dict(norm_eval='no', neck={})), r"stages\.a\.norm_eval='no': it has to be True"),
        (dict(a=dict(neck=1e-3)), r'stages\.a\.neck=0\.001: give settings of the optimizer'),
        (
            dict(a=dict(solver=dict(type='Solver'), last_layer=dict(lr=1))),
            r"stages\.a is a solver and has \['last_layer'\] as well: add _delete_=True",
        ),
        (dict(a=dict(neck=dict(layer_decay=0.5))), r"stages\.a\.neck has \['layer_decay'\]: only"),
    ],
)
def test_wrong_stages_are_refused(stages, message):
    with pytest.raises(InputError, match=message):
        build_stages(stages)
