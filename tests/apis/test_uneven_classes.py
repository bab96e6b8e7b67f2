"""Classes with different numbers of prototypes, or none, from the training to every output."""

import copy
import json

import pytest
import torch
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.apis.export_onnx import export_onnx, input_size
from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.apis.report import analyse, data_sets
from mmproto.engine.push_dataloader import build_push_dataloader
from mmproto.engine.push_record import PushRecord, epoch_folder
from mmproto.errors import InputError
from mmproto.visualization.report_page import write_report
from tests.pushed_birds import (
    CONFIG,
    birds_fixture,  # noqa: F401
    config_fixture,  # noqa: F401
)
from tests.toy import loader, model_config, train_config

COUNTS = [3, 0, 1, *[2] * 9]
CLASSES = [label for label, count in enumerate(COUNTS) for _ in range(count)]
TERMS = dict(contrast=dict(type='PrototypeContrastCost', weight=0.1))
SCHEDULE = [
    dict(stage='warm', epochs=1),
    dict(stage='joint', epochs=1, push=True),
    dict(stage='last_layer', epochs=1),
    dict(stage='solved'),
]
SOLVER = dict(type='SparseLastLayer', l1_weight=0.1, l2_weight=1.0)


@pytest.fixture(scope='module')
def uneven(config):
    config = copy.deepcopy(config)
    config.model.head.prototypes_per_class = COUNTS
    config.model.head.loss.update(TERMS)
    config.optim_wrapper.schedule = SCHEDULE
    # With norm_eval prototypes stay patches.
    config.optim_wrapper.stages.last_layer = dict(last_layer=dict(lr=1e-4), norm_eval=True)
    config.optim_wrapper.stages.solved = dict(solver=SOLVER)
    config.val_evaluator = [config.val_evaluator, dict(type='OwnClassPoints')]
    config.train_cfg.val_interval = 1
    config.train_dataloader.update(num_workers=0, persistent_workers=False, batch_size=6)
    config.val_dataloader.update(num_workers=0, persistent_workers=False)
    return config


@pytest.fixture(scope='module')
def work_dir(uneven, tmp_path_factory):
    """What a training of a few steps leaves."""
    folder = tmp_path_factory.mktemp('uneven')
    cfg = copy.deepcopy(uneven)
    cfg.work_dir, cfg.launcher, cfg.experiment_name = str(folder), 'none', folder.name
    Runner.from_cfg(cfg).train()
    return folder


@pytest.fixture(scope='module')
def inferencer(uneven, work_dir):
    return ProtoPNetInferencer(uneven, str(work_dir / 'epoch_3.pth'))


@pytest.mark.slow
def test_it_trains_and_pushes(work_dir, inferencer):
    head = inferencer.model.head
    assert head.prototype_class.tolist() == CLASSES
    assert all(value.isfinite().all() for value in inferencer.model.state_dict().values())
    assert bool(head.prototypes_are_patches)
    record = PushRecord.load(epoch_folder(work_dir, 2))
    assert (record.prototypes, record.classes) == (22, 11)
    logged = [
        json.loads(line)
        for file in work_dir.glob('*/vis_data/scalars.json')
        for line in file.read_text().splitlines()
    ]
    assert {'loss_cluster', 'loss_contrast'} <= set().union(*logged)
    assert all(value == value for line in logged for value in line.values())  # no NaN


@pytest.mark.slow
def test_it_explains_a_class_without_prototypes(inferencer, tmp_path):
    image = inferencer.reader.dataset('test_dataloader').get_data_info(1)['img_path']
    one = inferencer(image, target=1, out_dir=tmp_path)[0]['explanation']
    target = one.prediction.target
    assert target.label == 1
    assert len(target.matches) == 10
    assert all(match.prototype_class != 1 for match in target.matches)
    assert target.error < 1e-4
    page = tmp_path / f'{one.name}.html'
    note = f'{one.class_name(1).replace("_", " ")} has no prototypes of its own'
    assert note in page.read_text().replace('_', ' ')
    one = inferencer(image, target=0, out_dir=tmp_path)[0]['explanation']
    assert one.class_name(0).replace('_', ' ') + ' has no' not in page.read_text()
    assert [match.prototype_class for match in one.prediction.target.matches] == [0, 0, 0]


@pytest.mark.slow
def test_it_is_reported(inferencer, work_dir, tmp_path):
    checkpoint = str(work_dir / 'epoch_3.pth')
    report = analyse(inferencer, str(CONFIG), checkpoint)
    assert [one.label for one in report.prototypes] == CLASSES
    assert report.confusion_matrix.shape == (12, 12)
    write_report(report, inferencer.gallery, data_sets(inferencer), tmp_path / 'report.html')
    assert 'It has no prototypes.' in (tmp_path / 'report.html').read_text()


@pytest.mark.slow
def test_it_is_exported(inferencer, uneven, tmp_path):
    onnx = pytest.importorskip('onnx')
    agreement = export_onnx(inferencer.model, input_size(uneven), tmp_path / 'model.onnx')
    assert agreement.difference < 1e-4
    properties = {one.key: one.value for one in onnx.load(tmp_path / 'model.onnx').metadata_props}
    prototypes = json.loads(properties['prototypes'])
    assert [one['class_index'] for one in prototypes] == CLASSES
    assert len(json.loads(properties['classes'])) == 12


def push_set(folder, labels):
    """The push data of a toy with prototypes for classes 0 and 2, with images of these labels."""
    cfg = train_config(folder, model=model_config(prototypes_per_class=[3, 0, 1]))
    cfg['push_dataloader'] = loader(count=len(labels))
    runner = Runner.from_cfg(cfg)
    build = runner.build_dataloader

    def relabelled(*args, **kwargs):
        dataloader = build(*args, **kwargs)
        dataloader.dataset.labels[:] = labels
        return dataloader

    runner.build_dataloader = relabelled
    return build_push_dataloader(runner)


def test_a_class_without_prototypes_needs_no_image_to_push_onto(tmp_path):
    assert len(push_set(tmp_path, [0, 2, 0, 2]).dataset) == 4
    with pytest.raises(InputError, match='no image of 1 of 2 classes: 2 '):
        push_set(tmp_path, [0, 1, 0, 1])


def test_a_batch_of_nothing_but_such_a_class_costs_no_nan():
    model = MODELS.build(model_config(prototypes_per_class=[3, 0, 1], loss=dict(
        type='ProtoPNetLoss', **TERMS)))  # fmt: skip
    feats = torch.rand(4, 6, 2, 2, requires_grad=True)
    outputs = model.head.outputs([feats])
    losses = model.head.loss_module(outputs, torch.ones(4, dtype=torch.long))
    assert losses['loss_cluster'] == 0
    sum(losses.values()).backward()
    assert bool(feats.grad.isfinite().all())
    assert bool(model.head.prototype_vectors.grad.isfinite().all())
