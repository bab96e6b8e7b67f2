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
    ('stages', 'message'),
    [
        (None, r"lacks \['stages'\]"),
        (dict(a=None), r'stages\.a=None: say what it trains'),
        (dict(a=dict(head=dict(lr=1))), r"stages\.a has \['head'\]: a stage takes the groups"),
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
