"""A block-sparse last layer does what a dense one with the same weights does."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner, load_checkpoint
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmproto.apis.checkpoint_editor import CheckpointEditor
from mmproto.apis.prune import by_duplicates, by_weight, prune_checkpoint
from mmproto.engine.push import push_prototypes
from mmproto.engine.push_record import PushRecord
from mmproto.errors import InputError
from mmproto.explanation.explain import explain
from mmproto.models.heads.checkpoint_fit import check_resumable
from mmproto.models.heads.fingerprint import fingerprint
from tests.toy import STAGES, loader, model_config, train_config

SPARSE = torch.tensor([[1.0, 2, 0, 0.5, 0, 0], [0, 0, 1, 1, 0, 0], [0, -1, 0, 0, 1, 3]])
LABELS = [0, 1, 2, 0]


def pair(weight=None, **head):
    """A dense model, and a block-sparse one with the same numbers."""
    torch.manual_seed(0)
    dense = MODELS.build(model_config(**head))
    sparse = MODELS.build(model_config(last_layer='block_sparse', **head))
    if weight is not None:
        dense.head.set_last_layer(weight)
        sparse.head.set_last_layer(weight)
    state = dense.state_dict()
    sparse.load_state_dict(
        {name: value for name, value in state.items() if 'last_layer' not in name}, strict=False
    )
    return dense, sparse


def samples(labels):
    return [DataSample().set_gt_label(label) for label in labels]


@pytest.mark.parametrize('weight', [None, SPARSE], ids=['first', 'solved'])
@pytest.mark.parametrize('kind', ['ProtoPNetHead', 'MultiLabelProtoPNetHead'])
def test_losses_gradients_and_predictions_are_those_of_a_dense_one(weight, kind):
    models, images = pair(weight, type=kind), torch.rand(4, 3, 16, 16)
    found = []
    for model in models:
        losses = model.loss(images, samples(LABELS))
        sum(losses.values()).backward()
        predicted = model.eval().predict(images, samples(LABELS))
        found.append((losses, predicted, model))
    (dense, theirs, whole), (sparse, ours, blocks) = found
    torch.testing.assert_close(sparse, dense)
    for name in ('pred_score', 'own_class_points', 'own_class_fraction'):
        for one, other in zip(ours, theirs):
            torch.testing.assert_close(getattr(one, name), getattr(other, name))
    gradients = dict(whole.named_parameters())
    for name, parameter in blocks.named_parameters():
        if name == 'head.last_layer.own_weight':
            own = whole.head.prototype_class[None]
            expected = whole.head.last_layer.weight.grad.gather(0, own)[0]
        else:
            expected = gradients[name].grad
        torch.testing.assert_close(parameter.grad, expected, msg=name)


def test_first_weights_are_the_papers_and_take_no_matrix():
    dense, sparse = pair()
    assert torch.equal(sparse.head.last_layer_weight, dense.head.last_layer.weight)
    largest = max(value.numel() for value in sparse.head.last_layer.state_dict().values())
    assert largest == 6
    with torch.device('meta'):  # where only shapes are looked at
        MODELS.build(model_config(last_layer='block_sparse'))


def test_explanations_are_those_of_a_dense_one():
    dense, sparse = (model.eval() for model in pair(SPARSE))
    image = torch.rand(1, 3, 16, 16)
    (ours,), (theirs,) = explain(sparse, image, [None]), explain(dense, image, [None])
    assert [match.weight for match in ours.target.matches] == [
        match.weight for match in theirs.target.matches
    ]
    assert ours.target.rest == pytest.approx(theirs.target.rest, abs=1e-5)
    assert ours.target.logit == pytest.approx(theirs.target.logit, abs=1e-5)


def save(model, path):
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return str(path)


@pytest.mark.parametrize('keep', [[True] * 6, [True, False, True, True, False, True]])
def test_a_checkpoint_has_it_all_whatever_is_listed_or_pruned(tmp_path, keep):
    _, saved = pair(SPARSE)
    saved.head.prune(torch.tensor(keep))
    assert torch.equal(saved.head.last_layer_weight, SPARSE[:, keep])
    _, loaded = pair()
    parameters = list(loaded.parameters())
    load_checkpoint(loaded, save(saved, tmp_path / 'saved.pth'), strict=True)
    assert torch.equal(loaded.head.last_layer_weight, SPARSE[:, keep])
    assert all(one is other for one, other in zip(parameters, loaded.parameters()))
    image = torch.rand(2, 3, 16, 16)
    assert torch.equal(loaded.eval()(image), saved.eval()(image))
    check_resumable(loaded.head, saved.state_dict(), 'head.')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(num_classes=4), 'has 4 classes, 8 prototypes .* model.head 3 classes, 6 prototypes'),
        (dict(num_classes=4, prototypes_per_class=[2, 2, 2, 0]), '4 classes, 6 prototypes'),
        (dict(last_layer='dense'), 'another kind of last layer, 6 prototypes'),
        ({'last_layer.other_class': torch.tensor([0, 3])}, '3 classes, 6 prototypes'),
        ({'last_layer.other_prototype': torch.tensor([-1, 0])}, '3 classes, 6 prototypes'),
        ({'last_layer.other_weight': torch.zeros(3)}, '3 classes, 6 prototypes'),
    ],
    ids=['classes', 'classes-of-one-count', 'kind', 'class', 'prototype', 'number'],
)
def test_what_does_not_fit_is_not_loaded(changes, message):
    _, loaded = pair()
    if any('.' in name for name in changes):
        changes = {f'head.{name}': value for name, value in changes.items()}
        state = pair(SPARSE)[1].state_dict() | changes
    else:
        state = MODELS.build(model_config(**{'last_layer': 'block_sparse', **changes})).state_dict()
    before = copy.deepcopy(loaded.head.state_dict())
    with pytest.raises(InputError, match=message):
        check_resumable(loaded.head, state, 'head.')
    loaded.load_state_dict(state, strict=False)
    for name, value in loaded.head.state_dict().items():
        assert torch.equal(value.nan_to_num(), before[name].nan_to_num()), name


def test_a_dense_head_takes_no_block_sparse_one():
    dense, sparse = pair()
    with pytest.raises(InputError, match='another kind of last layer, 6 prototypes'):
        check_resumable(dense.head, sparse.state_dict(), 'head.')


def test_the_fingerprint_knows_every_connection():
    prints = [fingerprint(pair(weight)[1].head) for weight in (None, SPARSE, SPARSE * 2)]
    moved = SPARSE.clone()
    moved[2, 1], moved[2, 0] = 0, -1
    assert len({*prints, fingerprint(pair(moved)[1].head)}) == 4


def run(folder, **changes):
    torch.manual_seed(0)
    config = train_config(folder, experiment_name=f'{folder.name}_many', **changes)
    config['model'] = model_config(last_layer='block_sparse')
    config['optim_wrapper']['stages'] = {
        **STAGES,
        'last_layer': dict(
            solver=dict(type='SparseLastLayer', l1_weight=3e-2, l2_weight=1.0, tolerance=0.1)
        ),
    }
    config['optim_wrapper']['schedule'] = dict(warm_epochs=1, epochs=3, push_epochs=[1, 2])
    return Runner.from_cfg(Config(config))


def test_a_training_solves_it_and_goes_on(tmp_path):
    trained = run(tmp_path / 'whole').train()
    layer = trained.head.last_layer
    assert layer.shared_weight == 0
    assert 0 < len(layer.other_weight) < 12
    resumed = run(
        tmp_path / 'again', load_from=str(tmp_path / 'whole/epoch_2.pth'), resume=True
    ).train()
    for name, value in resumed.state_dict().items():
        assert torch.equal(value, trained.state_dict()[name]), name


def test_more_connections_than_are_looked_at_are_trained_and_pushed(tmp_path, monkeypatch):
    monkeypatch.setattr('mmproto.models.last_layers.block_sparse_last_layer.MOST', 17)
    config = train_config(tmp_path, experiment_name=f'{tmp_path.name}_beyond')
    config['model'] = model_config(last_layer='block_sparse')
    config['optim_wrapper']['schedule'].update(epochs=3, push_epochs=[2])
    trained = Runner.from_cfg(Config(config)).train()
    assert trained.head.prototypes_are_patches
    own = trained.head.last_layer.own_weight
    assert bool((own != 1).all())  # the stage of the last layer has trained them
    assert PushRecord.load(tmp_path / 'prototypes/epoch_3').certificate is None


def test_pruning_works_by_weight_and_by_duplicates(tmp_path):
    _, sparse = pair(SPARSE)
    weight = SPARSE.clone()
    weight[:, 5] = 0
    sparse.head.set_last_layer(weight)
    with torch.no_grad():
        sparse.head.prototype_vectors[1] = sparse.head.prototype_vectors[0]
    cfg = train_config(tmp_path, experiment_name=f'{tmp_path.name}_prune')
    cfg['model'] = model_config(last_layer='block_sparse')
    editor = CheckpointEditor(Config(cfg), save(sparse, tmp_path / 'saved.pth'))
    assert prune_checkpoint(editor, by_weight).kept == 5
    assert prune_checkpoint(editor, by_duplicates).kept == 4
    expected = weight[:, [0, 2, 3, 4]].clone()
    expected[:, 0] += weight[:, 1]
    assert torch.equal(editor.model.head.last_layer_weight, expected)


def test_thousands_of_classes_are_refused_where_all_connections_are_asked_for(tmp_path):
    head = dict(
        num_classes=20_000, prototypes_per_class=1, last_layer='block_sparse', in_channels=6
    )
    model = MODELS.build(model_config(**head)).eval()
    images = torch.rand(2, 3, 16, 16)
    losses = model.loss(images, samples([0, 19_999]))
    assert losses['loss_l1'] == pytest.approx(1e-4 * 0.5 * 20_000 * 19_999)
    (sample, _) = model.predict(images, samples([0, 19_999]))
    assert sample.own_class_points.shape == (20_000,)
    with pytest.raises(InputError, match=r'20,000 prototypes to 20,000 classes: .* 134,217'):
        _ = model.head.last_layer_weight
    config = train_config(tmp_path, experiment_name=f'{tmp_path.name}_refused')
    config['model'] = model_config(**head)
    config['optim_wrapper']['stages']['last_layer'] = dict(solver=dict(type='SparseLastLayer'))
    with pytest.raises(InputError, match=r'stages\.last_layer\.solver looks at every connection'):
        Runner.from_cfg(Config(config)).train()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(last_layer='sparse'), r"last_layer='sparse' is unknown: choose one of \['block_sp"),
        (dict(last_layer=dict(type='LogSimilarity')), "last_layer.type='LogSimilarity' is not a"),
        (
            dict(last_layer='block_sparse', prototypes_per_class=None, num_prototypes=4),
            "last_layer.type='BlockSparseLastLayer' is for prototypes of classes",
        ),
    ],
)
def test_what_cannot_be_built_is_said(changes, message):
    with pytest.raises(InputError, match=message):
        MODELS.build(model_config(**changes))


def test_a_push_goes_to_the_same_patches():
    dense, sparse = pair()
    dataloader = Runner.build_dataloader(Config(dict(loader=loader())).loader)
    found = [push_prototypes(model, dataloader) for model in (dense, sparse)]
    assert torch.equal(found[0].image, found[1].image)
    assert torch.equal(dense.head.prototype_vectors, sparse.head.prototype_vectors)
