import pytest
from mmengine.config import Config

from mmproto.apis import checked_runner
from mmproto.errors import InputListError
from tests.toy import train_config


def test_a_sound_config_trains(tmp_path):
    runner = checked_runner(Config(train_config(tmp_path)))
    assert runner.train().head.prototypes_are_patches
    assert (tmp_path / 'epoch_6.pth').is_file()


def test_all_that_is_wrong_is_told_and_nothing_is_built(tmp_path):
    cfg = Config(train_config(tmp_path / 'work'))
    cfg.model.head.prototype_per_class = 3
    cfg.train_dataloader.batch_size = 0
    with pytest.raises(InputListError) as errors:
        checked_runner(cfg)
    assert len(errors.value.args) == 2
    assert not (tmp_path / 'work').exists()
