"""Checkpoints whose head has another size, loaded as a run loads them."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner, load_checkpoint
from mmpretrain import get_model
from mmpretrain.registry import MODELS

from mmproto.apis.ensemble import load_member
from mmproto.errors import InputError
from mmproto.models.heads.checkpoint_fit import check_resumable
from tests.toy import golden, golden_model, loader, model_config, train_config

KEEP = torch.tensor([True, False, True, True, True, False])  # of 3 classes with 2 each


def build(seed, **head):
    torch.manual_seed(seed)
    return MODELS.build(model_config(**head))


def save(model, path):
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return str(path)


@pytest.fixture
def pruned(tmp_path):
    """A pruned model, pushed as it were, and its checkpoint."""
    model = build(1)
    model.head.prototype_image.copy_(torch.arange(6))
    model.head.prototypes_are_patches.fill_(True)
    model.head.prune(KEEP)
    return model, save(model, tmp_path / 'pruned.pth')


def run(tmp_path, checkpoint, **changes):
    config = train_config(tmp_path, load_from=checkpoint, **changes)
    return Runner.from_cfg(Config(config))


def warnings(runner):
    (log,) = Path(runner.log_dir).glob('*.log')
    return [line for line in log.read_text().splitlines() if 'model.head' in line]


def assert_same_state(state, expected, prefix=''):
    names = [name for name in expected if name.startswith(prefix)]
    assert names
    for name in names:
        assert torch.equal(state[name].nan_to_num(), expected[name].nan_to_num()), name


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('prototype_class', torch.full((6,), float('nan'))),
        ('prototype_class', torch.tensor(1)),
        ('prototype_vectors', torch.tensor(1.0)),
        ('last_layer.weight', torch.tensor(1.0)),
        ('forbidden_radius', torch.zeros(0, dtype=torch.long)),
    ],
)
def test_an_entry_of_another_kind_is_named(tmp_path, name, value):
    state = build(1).state_dict() | {f'head.{name}': value}
    torch.save(dict(state_dict=state), tmp_path / 'odd.pth')
    with pytest.raises(InputError, match=rf"checkpoint's head\.{name} is .*, as no head has it"):
        run(tmp_path, str(tmp_path / 'odd.pth')).load_or_resume()


def test_a_pruned_checkpoint_gives_the_head_its_number_of_prototypes(tmp_path, pruned):
    model, checkpoint = pruned
    runner = run(tmp_path, checkpoint)
    runner.load_or_resume()
    loaded = runner.model
    assert loaded.state_dict().keys() == model.state_dict().keys()
    assert_same_state(loaded.state_dict(), model.state_dict())
    assert loaded.head.last_layer.in_features == 4
    image = torch.rand(2, 3, 16, 16)
    assert torch.equal(loaded.eval()(image), model.eval()(image))
    (line,) = warnings(runner)
    assert 'The checkpoint has 4 prototypes and model.head 6' in line


@pytest.mark.slow
def test_training_goes_on_from_a_pruned_checkpoint_and_is_resumed(tmp_path, pruned):
    model, checkpoint = pruned
    before = copy.deepcopy(model.state_dict())
    runner = run(tmp_path, checkpoint)
    trained = runner.train()
    for name in ('prototype_vectors', 'last_layer.weight'):
        value = trained.state_dict()[f'head.{name}']
        assert value.shape == before[f'head.{name}'].shape
        assert bool((value != before[f'head.{name}']).all())
    assert trained.head.prototype_class.tolist() == [0, 1, 1, 2]
    saved = torch.load(tmp_path / 'epoch_3.pth')
    shapes = [
        tuple(moments['exp_avg'].shape) for moments in saved['optimizer']['joint']['state'].values()
    ]
    assert (4, 6, 1, 1) in shapes

    resumed = run(tmp_path / 'again', str(tmp_path / 'epoch_3.pth'), resume=True).train()
    assert_same_state(resumed.state_dict(), trained.state_dict())


def test_an_optimizer_that_has_the_parameters_trains_the_loaded_ones(pruned):
    _, checkpoint = pruned
    model = build(0)
    parameters = list(model.head.parameters())
    load_checkpoint(model, checkpoint, strict=True)
    assert all(one is other for one, other in zip(parameters, model.head.parameters()))


@pytest.mark.parametrize(
    ('changes', 'numbers'),
    [
        (dict(num_classes=2), ('2 classes, 4 prototypes of 6 x 1 x 1', '3 classes, 6 prot')),
        (dict(num_classes=6, prototypes_per_class=1), ('6 classes, 6 proto', '3 classes, 6 prot')),
        (dict(prototype_size=2), ('6 prototypes of 6 x 2 x 2', '6 prototypes of 6 x 1 x 1')),
        (
            dict(prototypes_per_class=None, num_prototypes=5),
            ('3 classes, 5 prototypes', '3 classes, 6 prototypes'),
        ),
    ],
    ids=['classes', 'classes-same-count', 'size', 'without-class'],
)
def test_another_head_starts_fresh(tmp_path, changes, numbers):
    other = build(1, **changes)
    other.head.prototypes_are_patches.fill_(True)
    runner = run(tmp_path, save(other, tmp_path / 'other.pth'))
    fresh = copy.deepcopy(runner.model.state_dict())
    runner.load_or_resume()
    state = runner.model.state_dict()
    assert_same_state(state, fresh, 'head.')
    for part in ('backbone.', 'neck.'):
        assert_same_state(state, other.state_dict(), part)
    (line,) = warnings(runner)
    assert all(number in line for number in numbers)


def test_a_class_that_is_not_there_starts_fresh(pruned):
    model, _ = pruned
    state = model.state_dict()
    state['head.prototype_class'] = state['head.prototype_class'] + 1
    loaded = build(0)
    fresh = copy.deepcopy(loaded.head.state_dict())
    missing, _ = loaded.load_state_dict(state, strict=False)
    assert_same_state(loaded.head.state_dict(), fresh)
    assert len(missing) == len(fresh)


def test_another_head_is_an_error_where_all_has_to_fit(tmp_path):
    checkpoint = save(build(1, num_classes=2), tmp_path / 'other.pth')
    with pytest.raises(RuntimeError, match=r'missing keys in source state_dict: head\.p'):
        load_checkpoint(build(0), checkpoint, strict=True)
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "head.prototype'):
        build(0).load_state_dict(build(1, num_classes=2).state_dict())


def test_a_model_by_its_config_takes_a_pruned_checkpoint(pruned):
    model, checkpoint = pruned
    loaded = get_model(Config(dict(model=model_config())), pretrained=checkpoint)
    assert_same_state(loaded.state_dict(), model.state_dict())


def test_an_ensemble_takes_a_pruned_member_and_refuses_one_of_other_classes(tmp_path, pruned):
    model, checkpoint = pruned
    cfg = Config(dict(model=model_config(), test_dataloader=loader()))
    assert_same_state(load_member(cfg, checkpoint).model.state_dict(), model.state_dict())
    other = save(build(1, num_classes=2), tmp_path / 'other.pth')
    with pytest.raises(InputError, match=r'other\.pth is not of the network'):
        load_member(cfg, other)


def test_a_resized_head_takes_a_whole_checkpoint_again(pruned):
    model, _ = pruned
    whole = build(2)
    model.load_state_dict(whole.state_dict())
    assert_same_state(model.state_dict(), whole.state_dict())


def test_the_state_dict_that_is_loaded_stays_as_it_is():
    state = build(1, num_classes=2).state_dict()
    names = list(state)
    build(0).load_state_dict(state, strict=False)
    assert list(state) == names


@pytest.mark.parametrize('case', ['log_1x1', 'log_2x2_bottleneck', 'linear_1x1'])
def test_golden_pruned_models_are_loaded_whole(case):
    arrays, meta = golden(case)
    pruned, loaded = golden_model(arrays, meta), golden_model(arrays, meta)
    keep = torch.ones(len(pruned.head.prototype_class), dtype=torch.bool)
    keep[torch.from_numpy(arrays['prune/pruned'])] = False
    pruned.head.prune(keep)
    loaded.load_state_dict(pruned.state_dict())
    x = torch.from_numpy(arrays['x'])
    with torch.no_grad():
        assert torch.equal(loaded(x), pruned(x))
        assert loaded(x).shape == (len(x), meta['num_classes'])


OTHER_HEADS = [
    (dict(num_classes=4), 'has 4 classes, 8 prototypes .* model.head 3 classes, 6 prototypes'),
    (dict(prototypes_per_class=None, num_prototypes=6), 'resume: the checkpoint has'),
]


@pytest.mark.parametrize(('changes', 'message'), OTHER_HEADS)
def test_another_head_is_told_by_its_weights(changes, message):
    state = MODELS.build(model_config(**changes)).state_dict()
    with pytest.raises(InputError, match=message):
        check_resumable(MODELS.build(model_config()).head, state, 'head.')


@pytest.mark.parametrize('changes', [changes for changes, _ in OTHER_HEADS])
def test_another_head_is_not_resumed(tmp_path, changes):
    torch.manual_seed(0)
    other = train_config(tmp_path / 'other', experiment_name=f'{tmp_path.name}_other')
    other['model'] = model_config(**changes)
    data = dict(num_classes=changes.get('num_classes', 3))
    for name in ('train_dataloader', 'push_dataloader', 'val_dataloader'):
        other[name]['dataset'].update(data)
    Runner.from_cfg(Config(other)).train()
    config = Config(train_config(tmp_path / 'ours', experiment_name=f'{tmp_path.name}_ours'))
    config.resume, config.load_from = True, str(tmp_path / 'other' / 'epoch_2.pth')
    setting = f'model.head.{next(iter(changes))}'
    with pytest.raises(InputError, match=f'the checkpoint is of another training: .*{setting}'):
        Runner.from_cfg(config).train()


def test_weights_alone_are_not_resumed(tmp_path):
    config = Config(train_config(tmp_path, experiment_name=f'{tmp_path.name}_weights'))
    model = MODELS.build(model_config())
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / 'weights.pth')
    config.resume, config.load_from = True, str(tmp_path / 'weights.pth')
    with pytest.raises(InputError, match='no state of a training'):
        Runner.from_cfg(config).train()


def test_prototypes_without_a_class_are_not_taken_for_those_of_classes():
    head = MODELS.build(model_config()).head
    other = MODELS.build(model_config(prototypes_per_class=None, num_prototypes=6)).head
    before = head.prototype_vectors.clone()
    head.load_state_dict(other.state_dict(), strict=False)
    assert torch.equal(head.prototype_vectors, before)
    assert (head.prototype_class >= 0).all()


DECISIONS = ('prototype_name', 'forbidden_patch', 'forbidden_radius', 'only_on_objects')


def decide(head):
    head.name_prototypes({0: 'red beak'})
    head.forbid(torch.tensor([[7, 1, 2], [0, 0, 0]]), torch.tensor([0.0, 0.25]))
    head.only_on_objects.fill_(True)


def test_decisions_are_loaded_whatever_their_number():
    saved, loaded = build(1), build(2)
    decide(saved.head)
    loaded.head.forbid(torch.tensor([[1, 1, 1]] * 5), torch.ones(5))
    parameters = list(loaded.parameters())
    loaded.load_state_dict(saved.state_dict())
    assert_same_state(loaded.state_dict(), saved.state_dict())
    assert all(one is other for one, other in zip(parameters, loaded.parameters()))
    saved.head.prune(KEEP)
    loaded.load_state_dict(saved.state_dict())
    assert_same_state(loaded.state_dict(), saved.state_dict())
    assert loaded.head.prototype_names == ['red beak', '', '', '']


@pytest.mark.parametrize('count', [6, 4])
def test_a_checkpoint_from_before_decisions_is_loaded_strictly(tmp_path, count):
    saved, loaded = build(1), build(2)
    saved.head.prune(torch.arange(6) < count)
    decide(loaded.head)
    state = {
        name: value
        for name, value in saved.state_dict().items()
        if name.removeprefix('head.') not in DECISIONS
    }
    torch.save(dict(state_dict=state, meta={}), tmp_path / 'old.pth')
    load_checkpoint(loaded, str(tmp_path / 'old.pth'), strict=True)
    assert_same_state(loaded.state_dict(), saved.state_dict())
    assert loaded.head.prototype_names == [''] * count
    assert len(loaded.head.forbidden_patch) == len(loaded.head.forbidden_radius) == 0
    assert not loaded.head.only_on_objects


def test_decisions_of_another_head_are_not_loaded():
    other, loaded = build(1, num_classes=2), build(0)
    decide(other.head)
    loaded.load_state_dict(other.state_dict(), strict=False)
    assert len(loaded.head.forbidden_patch) == 0
    assert not any(loaded.head.prototype_names)


@pytest.mark.slow
def test_training_and_resume_keep_the_decisions_and_push_by_them(tmp_path):
    free = run(tmp_path / 'free', save(build(1), tmp_path / 'fresh.pth')).train().head
    chosen = torch.cat([free.prototype_image[:, None], free.prototype_location], dim=1)
    model = build(1)
    model.head.name_prototypes({0: 'red beak'})
    model.head.forbid(chosen, torch.zeros(6))
    checkpoint = save(model, tmp_path / 'edited.pth')
    trained = run(tmp_path / 'edited', checkpoint).train().head
    places = torch.cat([trained.prototype_image[:, None], trained.prototype_location], dim=1)
    assert not (places[:, None] == chosen).all(-1).any()
    assert trained.prototype_names[0] == 'red beak'
    before = str(tmp_path / 'edited' / 'epoch_2.pth')
    resumed = run(tmp_path / 'again', before, resume=True).train()
    assert_same_state(resumed.head.state_dict(), trained.state_dict())
