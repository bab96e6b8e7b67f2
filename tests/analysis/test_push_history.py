import json

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.visualization import LocalVisBackend
from mmpretrain.registry import MODELS

from mmproto.analysis.push_history import push_records
from mmproto.apis import push_prototypes
from tests.toy import loader, model_config, train_config


@pytest.fixture
def work_dir(tmp_path):
    """Two pushes, the second of a run that was resumed."""
    torch.manual_seed(0)
    model = MODELS.build(model_config())
    dataloader = Runner.build_dataloader(loader())
    for epoch in (9, 10):
        torch.nn.init.uniform_(model.head.prototype_vectors)
        push_prototypes(model, dataloader, tmp_path / 'prototypes' / f'epoch_{epoch}')
    for run, before in (('20260101_000000', 50.0), ('20260102_000000', 60.0)):
        backend = LocalVisBackend(str(tmp_path / run / 'vis_data'))
        backend.add_scalars({'accuracy/top1': 1.0}, step=10)
        scalars = {'push/accuracy/top1/before': before, 'push/accuracy/top1/after': before + 5}
        backend.add_scalars(scalars, step=10)
    return tmp_path


def test_every_push_is_told(work_dir):
    first, second = push_records(work_dir)
    assert (first.name, second.name) == ('epoch_9', 'epoch_10')
    assert first.before is first.after is None
    assert (second.before, second.after) == (60, 65)
    for record in (first, second):
        told = json.loads((work_dir / 'prototypes' / record.name / 'prototypes.json').read_text())
        distances = [one['distance'] for one in told]
        assert record.prototypes == 6
        assert record.mean_distance == pytest.approx(sum(distances) / 6)
        assert record.greatest_distance == max(distances)
        assert record.patches == len({(o['image_index'], *o['location']) for o in told})


@pytest.mark.parametrize('text', ['', '[{"distance": 1', '[]', '{}', '[3]', 'null', '\x00'])
def test_broken_files_are_passed_over(work_dir, text):
    (work_dir / 'prototypes/epoch_9/prototypes.json').write_text(text)
    (work_dir / 'prototypes/epoch_11').mkdir()
    (work_dir / 'prototypes/epoch_last').mkdir()
    with (work_dir / '20260102_000000/vis_data/scalars.json').open('a') as file:
        file.write('3\n{"push/accuracy/top1/before": 1')
    (work_dir / '20260101_000000/vis_data/scalars.json').write_bytes(b'\xff\xfe')
    (record,) = push_records(work_dir)
    assert (record.name, record.before) == ('epoch_10', 60)
    assert push_records(work_dir / 'gone') == []


@pytest.mark.slow
def test_the_pushes_of_a_training_are_told_with_their_accuracies(tmp_path):
    runner = Runner.from_cfg(Config(train_config(tmp_path)))
    runner.train()
    (record,) = push_records(tmp_path)
    assert record.name == 'epoch_4'
    assert 0 <= record.before <= 100
    assert 0 <= record.after <= 100
