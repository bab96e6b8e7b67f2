import pytest
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.analysis.push_history import push_records
from mmproto.engine.push_record import epoch_folder
from tests.pushing import push_to
from tests.toy import loader, model_config


@pytest.fixture
def work_dir(tmp_path):
    """Two pushes."""
    model = MODELS.build(model_config())
    for epoch in (9, 10):
        metrics = dict(before={'accuracy/top1': 60.0}, after={'accuracy/top1': 65.0})
        folder = epoch_folder(tmp_path, epoch)
        push_to(folder, model, Runner.build_dataloader(loader()), epoch=epoch, **metrics)
    return tmp_path


def test_every_push_is_told(work_dir):
    first, second = push_records(work_dir)
    assert (first.epoch, second.epoch) == (9, 10)
    assert second.before == {'accuracy/top1': 60}
    assert second.after == {'accuracy/top1': 65}
    assert first.mean_distance > second.mean_distance == 0  # the second moves nothing


def test_broken_records_are_passed_over(work_dir):
    (epoch_folder(work_dir, 9) / 'push.json').write_text('[{"epoch": 9')
    epoch_folder(work_dir, 11).mkdir()
    (record,) = push_records(work_dir)
    assert record.epoch == 10
    assert push_records(work_dir / 'gone') == []
