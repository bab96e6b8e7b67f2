import logging

import pytest
from mmengine.runner import Runner

from tests.toy import STAGES, train_config


def warnings(caplog, tmp_path, rate, **changes):
    config = train_config(tmp_path, **changes)
    groups = dict(neck=dict(lr=rate), prototypes=dict(lr=rate), last_layer=dict(lr=rate))
    config['optim_wrapper']['stages'] = {
        **STAGES, 'warm': groups, 'joint': {**groups, 'backbone': dict(lr=rate)}
    }  # fmt: skip
    config['optim_wrapper']['schedule'] |= dict(epochs=12, push_epochs=[11], last_layer_epochs=0)
    config['custom_hooks'].append(dict(type='ChanceHook'))
    runner = Runner.from_cfg(config)
    runner.logger.addHandler(caplog.handler)
    with caplog.at_level(logging.WARNING):
        runner.train()
    return [record.message for record in caplog.records if 'nothing is learnt' in record.message]


@pytest.mark.parametrize(('rate', 'learns'), [(0.0, False), (3e-2, True)])
def test_it_warns_while_nothing_is_learnt(caplog, tmp_path, rate, learns):
    found = warnings(caplog, tmp_path, rate)
    if learns:
        assert len(found) < 8  # not to the end
        assert not any('epoch 12,' in text for text in found)
    else:
        assert len(found) == 11  # from the second epoch on
        assert 'guessing costs 1.10: for 2 epochs' in found[0]
