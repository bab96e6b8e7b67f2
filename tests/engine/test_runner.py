import pytest
from mmengine.config import Config

from mmproto.engine.runner import build_runner
from mmproto.errors import InputError
from tests.toy import train_config


def config(tmp_path, **changes):
    file = tmp_path / 'given.py'
    Config({**train_config(tmp_path / 'work'), **changes}).dump(file)
    return Config.fromfile(file)


def test_the_config_of_a_training_is_written_over_by_no_other_run(tmp_path):
    saved = tmp_path / 'work' / 'given.py'
    build_runner(config(tmp_path, custom_hooks=[], experiment_name='tested'))
    assert Config.fromfile(saved).experiment_name == 'tested'
    build_runner(config(tmp_path, experiment_name='trained')).train()
    assert Config.fromfile(saved).experiment_name == 'trained'
    build_runner(config(tmp_path, custom_hooks=[], experiment_name='edited'))
    assert Config.fromfile(saved).experiment_name == 'trained'
    build_runner(config(tmp_path, experiment_name='again')).train()
    assert Config.fromfile(saved).experiment_name == 'again'


def test_a_resume_that_is_refused_leaves_the_config_as_it_was(tmp_path):
    saved = tmp_path / 'work' / 'given.py'
    build_runner(config(tmp_path, experiment_name='trained')).train()
    cfg = config(tmp_path, experiment_name='other', resume='auto')
    cfg.model.head.similarity = 'cosine'
    with pytest.raises(InputError, match='another training'):
        build_runner(cfg).train()
    assert Config.fromfile(saved).experiment_name == 'trained'
