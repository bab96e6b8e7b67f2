import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, MODELS, TASK_UTILS

from mmproto.apis.checkpoint_editor import CheckpointEditor
from mmproto.apis.last_layer import fit_along_path, last_layer_solver, watch_own_class_points
from mmproto.engine.push import push_prototypes
from mmproto.errors import InputError
from mmproto.functional import held_out, own_connections, solve_last_layer
from mmproto.functional.connection_penalty import ConnectionPenalty
from mmproto.functional.score_loss import ScoreLoss
from tests.toy import ArrayDataset, loader, model_config, train_config

COUNT = 37


@DATASETS.register_module()
class NamedFiles(ArrayDataset):
    """Images, brighter from class to class, whose files are called after their seed."""

    def __init__(self, seed=0, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.seed = seed
        shade = 60 * self.labels + 20 * (np.arange(len(self)) % 5)
        self.images = (self.images // 4 + shade[:, None, None, None]).astype(np.uint8)

    def get_data_info(self, index):
        return {**super().get_data_info(index), 'img_path': f'{self.seed}/{index}.png'}


@TASK_UTILS.register_module()
class AnotherSolver:
    def __call__(self, model, dataloader):
        return {}


@pytest.fixture
def checkpoint(tmp_path):
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = MODELS.build(model_config()).eval()
    for weight in model.neck.parameters():
        weight.data *= 4  # so that scores differ as those of a trained network do
    data = ConfigDict({**loader(8), 'dataset': dict(type='NamedFiles', count=COUNT)})
    push_prototypes(model, Runner.build_dataloader(data))
    state = model.state_dict()
    meta = dict(dataset_meta=dict(classes=('class 0', 'class 1', 'class 2')))
    torch.save(dict(meta=meta, state_dict=state), tmp_path / 'model.pth')
    return str(tmp_path / 'model.pth')


def config(folder, val=0, **changes):
    def of(seed):
        return {
            **loader(8),
            'dataset': dict(type='NamedFiles', seed=seed, count=COUNT),
        }

    test = dict(test_dataloader=of(2), test_cfg=dict(), test_evaluator=dict(type='Accuracy'))
    data = dict(push_dataloader=of(0), val_dataloader=of(val), **test)
    return Config(train_config(folder, **{**data, **changes}))


def solver_of(**settings):
    stages = dict(last_layer=dict(solver=dict(type='SparseLastLayer', **settings)))
    return Config(dict(optim_wrapper=dict(stages=stages)))


def test_settings_override_those_of_the_config():
    penalty = last_layer_solver(solver_of(l1_weight=0.5, l2_weight=0.25), l2_weight=0.125)._penalty
    assert penalty.keywords == dict(l1_weight=0.5, l2_weight=0.125, non_negative=False)
    with pytest.raises(InputError, match='l1_weight=0: give a positive number'):
        last_layer_solver(solver_of(), l1_weight=0)


def test_another_solver_is_refused():
    cfg = Config(dict(optim_wrapper=dict(stages=dict(end=dict(solver=dict(type='AnotherSolver'))))))
    with pytest.raises(InputError, match='is a AnotherSolver, and a SparseLastLayer'):
        last_layer_solver(cfg, l1_weight=1e-3)


@pytest.mark.parametrize('evaluator', [dict(type='Accuracy'), [dict(type='Accuracy')]])
def test_own_class_points_are_watched_once(evaluator):
    cfg = Config(dict(model=dict(head=dict(type='ProtoPNetHead')), val_evaluator=evaluator))
    for _ in range(2):
        watch_own_class_points(cfg)
        assert [metric['type'] for metric in cfg.val_evaluator] == ['Accuracy', 'OwnClassPoints']


def test_a_data_set_with_other_classes_is_refused(tmp_path, checkpoint):
    saved = torch.load(checkpoint)
    saved['meta']['dataset_meta']['classes'] = ('class 0', 'a cat', 'class 2')
    torch.save(saved, checkpoint)
    editor = CheckpointEditor(config(tmp_path), checkpoint)
    with pytest.raises(InputError, match="class 1 is 'a cat' for the checkpoint and 'class 1'"):
        _ = editor.push_dataloader


@pytest.mark.parametrize(('val', 'apart'), [(0, False), (1, True), (2, False)])
def test_the_path_chooses_by_images_that_test_nothing(
    tmp_path, checkpoint, val, apart, monkeypatch
):
    monkeypatch.setattr('mmproto.analysis.last_layer_path.PRICES', 6)
    editor = CheckpointEditor(config(tmp_path, val), checkpoint)
    solver = last_layer_solver(editor.runner.cfg, l2_weight=1.0)
    model = copy.deepcopy(editor.model)
    path, figures = fit_along_path(editor, solver)

    def data(seed):
        dataset = NamedFiles(seed=seed, count=COUNT)
        images = [dataset[i]['inputs'][None].float() / 255 for i in range(COUNT)]
        with torch.no_grad():
            scores = [model.head.pre_logits(model.extract_feat(image)) for image in images]
        return torch.cat(scores), torch.from_numpy(np.array(dataset.labels))

    own = own_connections(model.head.prototype_class, 3)
    scores, labels = data(0)
    rows = held_out(labels)
    fitted = (scores, labels) if apart else (scores[~rows], labels[~rows])
    others = data(val) if apart else (scores[rows], labels[rows])
    assert ('the validation set' in path.origin) == apart
    assert path.images == len(others[1])
    assert len(path.points) == 6
    for point in path.points[:4]:
        penalty = ConnectionPenalty(own, point.l1_weight, 1.0)
        solution = solve_last_layer(ScoreLoss(*fitted, 3), penalty)
        assert point.objective == pytest.approx(solution.objective, abs=1e-4)
        right = (others[0].double() @ solution.weight.t()).argmax(1) == others[1]
        assert point.accuracy == pytest.approx(right.double().mean().item(), abs=1.01 / len(right))

    penalty = replace(penalty, l1_weight=path.recommended.l1_weight)
    everything = solve_last_layer(ScoreLoss(scores, labels, 3), penalty)
    assert figures['objective'] == pytest.approx(everything.objective, abs=1e-4)
    weight = editor.model.head.last_layer.weight.double()
    torch.testing.assert_close(weight, everything.weight, rtol=1e-2, atol=1e-2)
