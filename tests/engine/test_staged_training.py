import copy
import math

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModule
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, MODELS, OPTIM_WRAPPER_CONSTRUCTORS
from mmpretrain.structures import DataSample
from torch import nn

from mmproto.errors import InputError
from tests.pushing import own_patch_scores
from tests.toy import RECIPE, STAGES, loader, model_config, train_config

GROUPS_OF_STAGE = {
    'warm': {'neck', 'prototypes'},
    'joint': {'backbone', 'neck', 'prototypes'},
    'last_layer': {'last_layer'},
}


def group_of(name):
    if name.startswith('head.'):
        return 'last_layer' if 'last_layer' in name else 'prototypes'
    return name.split('.')[0]


class WatchEpochs(Hook):
    """Notes the stage, what moved, the learning rates and the state of every epoch."""

    priority = 'VERY_HIGH'

    def __init__(self):
        self.epochs = []

    def before_train_epoch(self, runner):
        self.before = copy.deepcopy(dict(runner.model.named_parameters()))

    def before_train_iter(self, runner, batch_idx, **kwargs):
        if batch_idx == 0:
            self.rates = {key: rate[0] for key, rate in runner.optim_wrapper.get_lr().items()}

    def after_train_epoch(self, runner):
        moved = {
            group_of(name)
            for name, parameter in runner.model.named_parameters()
            if not torch.equal(parameter, self.before[name])
        }
        still = [p.grad for p in runner.model.parameters() if not p.requires_grad]
        assert all(grad is None for grad in still)
        self.epochs.append((runner.optim_wrapper.stage, moved, self.rates))


SCHEDULERS = dict(
    joint=[dict(type='StepLR', step_size=1, gamma=0.5)],
    last_layer=[dict(type='StepLR', step_size=1, gamma=0.5)],
)


def train(config):
    runner = Runner.from_cfg(config)
    watch = WatchEpochs()
    runner.register_hook(watch)
    runner.train()
    return runner, watch.epochs


def test_only_the_groups_of_the_stage_move(tmp_path):
    runner, epochs = train(train_config(tmp_path))
    assert [stage for stage, _, _ in epochs] == ['warm'] * 2 + ['joint'] * 2 + ['last_layer'] * 2
    for stage, moved, rates in epochs:
        assert moved == GROUPS_OF_STAGE[stage]
        assert {key for key, rate in rates.items() if rate} == {'lr', *(f'{g}.lr' for g in moved)}
    assert bool(runner.model.head.prototypes_are_patches)


def check_resumed(tmp_path, after, **changes):
    """A run that stops after some epochs and goes on has to end where the whole one does."""

    def config(name):
        one = train_config(tmp_path / name, **copy.deepcopy(changes))
        one['experiment_name'] = f'{tmp_path.name}_{name}'
        return one

    whole, epochs = train(config('whole'))
    runner = Runner.from_cfg(config('cut'))

    class Stop(Hook):
        priority = 'LOWEST'

        def after_train_epoch(self, runner):
            runner.train_loop.stop_training = runner.epoch == after - 1  # pushed and saved

    runner.register_hook(Stop())
    runner.train()
    again = {**config('resumed'), 'work_dir': str(tmp_path / 'cut'), 'resume': True}
    resumed, later = train(again)
    assert later == epochs[after:]
    expected = whole.model.state_dict()
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_a_resumed_run_ends_where_the_whole_one_does(tmp_path):
    check_resumed(tmp_path, after=4, param_scheduler=SCHEDULERS)


RESTARTS = dict(
    optim_wrapper={
        **RECIPE['optim_wrapper'],
        'schedule': [
            dict(stage='joint', epochs=2, push=True),
            dict(stage='last_layer', epochs=2, restart=True),
            dict(stage='joint', epochs=2, push=True),
            dict(stage='last_layer', epochs=3, restart=True),
        ],
    },
    param_scheduler=dict(
        joint=[dict(type='CosineAnnealingLR', by_epoch=False)],
        last_layer=[dict(type='CosineAnnealingLR')],
    ),
)


# the first restart, one within it, between two runs of a stage, the last restart, one within it
@pytest.mark.parametrize('after', [2, 3, 5, 6, 7])
def test_so_does_one_whose_schedulers_restart(tmp_path, after):
    check_resumed(tmp_path, after, **RESTARTS)


def cosine(step, length):
    return (1 + math.cos(math.pi * step / length)) / 2


def test_a_cosine_ends_with_its_stage_or_with_its_phase_if_that_restarts(tmp_path):
    _, epochs = train(train_config(tmp_path, **copy.deepcopy(RESTARTS)))
    joint = [rates['backbone.lr'] for stage, _, rates in epochs if stage == 'joint']
    last = [rates['last_layer.lr'] for stage, _, rates in epochs if stage == 'last_layer']
    # three iterations an epoch, twelve of the stage: it goes on after the push
    assert joint == pytest.approx([1e-4 * cosine(step, 12) for step in (0, 3, 6, 9)])
    expected = [*(cosine(step, 2) for step in range(2)), *(cosine(step, 3) for step in range(3))]
    assert last == pytest.approx([1e-4 * value for value in expected])


def test_a_scheduler_counts_the_epochs_of_its_own_stage(tmp_path):
    config = train_config(
        tmp_path,
        param_scheduler=dict(
            warm=[],
            joint=[dict(type='MultiStepLR', milestones=[1, 3], gamma=0.1)],
            last_layer=[dict(type='StepLR', step_size=1, gamma=0.5)],
        ),
    )
    config['optim_wrapper']['schedule'] = dict(
        warm_epochs=1, epochs=6, push_epochs=[2, 4], last_layer_epochs=2
    )
    _, epochs = train(config)
    joint = [rates['backbone.lr'] for stage, _, rates in epochs if stage == 'joint']
    last = [rates['last_layer.lr'] for stage, _, rates in epochs if stage == 'last_layer']
    assert joint == pytest.approx([1e-4, 1e-5, 1e-5, 1e-6, 1e-6])
    assert last == pytest.approx([1e-4, 5e-5, 1e-4, 5e-5])  # anew after each push


def test_accumulated_gradients_are_those_of_the_whole_batch(tmp_path):
    """Three batches of 4 in twos: steps of 8 and of the 4 that are left."""

    def stages_of(accumulative_counts, batch_size):
        torch.manual_seed(0)
        config = train_config(tmp_path / str(accumulative_counts), log_level='ERROR')
        config['model']['backbone']['batch_norm'] = False
        config['model']['head']['loss'] = dict(type='ProtoPNetLoss', l1=None)
        config['train_dataloader'] = loader(batch_size=batch_size)
        config['optim_wrapper'].update(
            accumulative_counts=accumulative_counts, optimizer=dict(type='SGD', lr=0.1)
        )
        config['optim_wrapper']['schedule'] = dict(
            epochs=2, warm_epochs=2, push_epochs=[1], last_layer_epochs=1
        )
        return train(config)[0].model.state_dict()

    ours, expected = stages_of(2, 4), stages_of(1, 8)
    for name, value in ours.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6, msg=name)


def test_clipping_and_learning_rate_scaling_reach_every_stage(tmp_path):
    config = train_config(tmp_path, auto_scale_lr=dict(enable=True, base_batch_size=8))
    config['optim_wrapper'].update(
        clip_grad=dict(type='norm', max_norm=1e-12), accumulative_counts=1
    )
    config['optim_wrapper']['optimizer'] = dict(type='SGD', lr=0.1)
    _, epochs = train(config)
    assert epochs[2][2]['backbone.lr'] == pytest.approx(1e-4 * 4 / 8)
    assert epochs[5][2]['last_layer.lr'] == pytest.approx(1e-4 * 4 / 8)
    for _, moved, _ in epochs:  # the others decay
        assert not moved & {'prototypes', 'last_layer'}


def test_only_a_pushed_model_is_kept_as_the_best(tmp_path):
    config = train_config(tmp_path)
    config['optim_wrapper']['schedule'] = dict(
        warm_epochs=1, epochs=4, push_epochs=[1], last_layer_epochs=1
    )
    Runner.from_cfg(config).train()
    best = list(tmp_path.glob('best_*.pth'))
    assert len(best) == 1
    state = torch.load(best[0])['state_dict']
    assert bool(state['head.prototypes_are_patches'])
    assert best[0].stem.endswith(('epoch_2', 'epoch_3'))
    last = torch.load(tmp_path / 'epoch_5.pth')['state_dict']
    assert not bool(last['head.prototypes_are_patches'])


def test_the_log_names_the_stage_and_every_learning_rate(tmp_path, caplog):
    config = train_config(tmp_path, log_level='INFO')
    config['default_hooks']['logger'] = dict(type='LoggerHook', interval=1)
    Runner.from_cfg(config).train()
    text = next(tmp_path.glob('*/*.log')).read_text()
    assert "Epoch 1 of 6 is a 'warm' epoch: neck, prototypes train." in text
    assert "Epoch 5 of 6 is a 'last_layer' epoch: last_layer train; about " in text
    assert 'backbone.lr: 1.0000e-04 neck.lr: 3.0000e-03 prototypes.lr: 3.0000e-03' in text
    assert 'backbone.lr: 0.0000e+00' in text
    for key in ('loss_cls', 'loss_cluster', 'loss_separation', 'loss_l1'):
        assert f'{key}: ' in text
    assert 'prototypes moved by a distance of' in text
    assert 'accuracy/top1 was' in text


def test_a_schedule_that_ends_without_patches_is_warned_about(tmp_path):
    config = train_config(tmp_path)
    config['optim_wrapper']['schedule'].update(epochs=5)
    Runner.from_cfg(config).train()
    text = next(tmp_path.glob('*/*.log')).read_text()
    assert 'The last push is not the last thing that this schedule does' in text
    assert 'The training has ended after epoch 7 with prototypes that are no training' in text


def test_a_stop_before_a_push_is_said(tmp_path):
    class Stop(Hook):
        def after_train_epoch(self, runner):
            runner.train_loop.stop_training = runner.epoch == 2

    runner = Runner.from_cfg(train_config(tmp_path))
    runner.register_hook(Stop())
    runner.train()
    text = next(tmp_path.glob('*/*.log')).read_text()
    assert 'The training has ended after epoch 3 with prototypes that are no training' in text
    assert 'The last push is not the last thing' not in text


def test_a_finished_training_that_is_resumed_says_so(tmp_path):
    def log():
        return sorted(tmp_path.glob('*/*.log'))[-1].read_text()

    Runner.from_cfg(train_config(tmp_path)).train()
    first = log()
    state = torch.load(tmp_path / 'epoch_6.pth')['state_dict']
    again = train_config(tmp_path, resume=True, experiment_name=f'{tmp_path.name}_again')
    model = Runner.from_cfg(again).train()
    second = log()
    said = 'All 6 epochs of the schedule are done: nothing is left to train'
    assert said not in first
    assert 'The training has ended' not in first
    assert said in second
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name


def constructor(**changes):
    cfg = dict(optimizer=dict(type='Adam'), schedule={}, stages=STAGES)
    return OPTIM_WRAPPER_CONSTRUCTORS.get('ProtoPNetOptimWrapperConstructor')({**cfg, **changes})


@pytest.mark.parametrize(
    ('stages', 'message'),
    [
        ({**STAGES, 'cold': {}}, r'stages\.cold has nothing to train'),
        (dict(warm=STAGES['warm'], joint=STAGES['joint']), r"lacks \['last_layer'\]"),
        ({**STAGES, 'warm': dict(head=dict(lr=1))}, r"stages\.warm has \['head'\]"),
        ({**STAGES, 'warm': {}}, r'stages\.warm has nothing to train'),
    ],
)
def test_wrong_stages_are_refused(stages, message):
    with pytest.raises(InputError, match=message):
        constructor(stages=stages)(MODELS.build(model_config()))


@MODELS.register_module()
class ThreeLayers(BaseModule):
    """Three convolutions with batch norm, of which the last has parameters."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(3, 3, 3, stride=2, padding=1),
                    nn.BatchNorm2d(3, affine=layer == 2),
                    nn.ReLU(),
                )
                for layer in range(3)
            )
        )

    def forward(self, x):
        return (self.layers(x),)


def three_layers(**stage):
    """A classifier of three layers and the wrapper of a schedule with this stage alone."""
    model = MODELS.build({**model_config(), 'backbone': dict(type='ThreeLayers')})
    wrapper = constructor(
        schedule=[dict(stage='tune', epochs=1, push=True)], stages=dict(tune=stage)
    )(model)
    wrapper.activate('tune', model, iterations=1)
    return model, wrapper


def convolution_rates(model, wrapper):
    """Learning rate of the convolution of each layer, 0 for one that does not train."""
    rates = {
        id(parameter): group['lr']
        for group in wrapper.active.optimizer.param_groups
        for parameter in group['params']
    }
    return [rates.get(id(layer[0].weight), 0) for layer in model.backbone.layers]


def test_the_first_layers_can_be_frozen():
    model, wrapper = three_layers(backbone=dict(lr=0.1, frozen_layers=2))
    assert convolution_rates(model, wrapper) == [0, 0, 0.1]
    trained = {name for name, p in model.backbone.named_parameters() if p.requires_grad}
    assert {name.split('.')[1] for name in trained} == {'2'}
    assert len(trained) == 4
    assert not model.head.prototype_vectors.requires_grad


def test_learning_rates_decay_by_layer_and_the_largest_is_logged():
    model, wrapper = three_layers(backbone=dict(lr=0.8, layer_decay=0.5), neck=dict(lr=0.01))
    assert convolution_rates(model, wrapper) == pytest.approx([0.2, 0.4, 0.8])
    assert wrapper.get_lr() == {
        'lr': [0.8, 0.01],
        'backbone.lr': [0.8],
        'neck.lr': [0.01],
        'prototypes.lr': [0.0],
        'last_layer.lr': [0.0],
    }


def test_they_decay_from_the_optimizers_own_rate_and_spare_the_frozen_layers():
    model, wrapper = three_layers(
        optimizer=dict(type='SGD', lr=0.4), backbone=dict(layer_decay=0.5, frozen_layers=1)
    )
    assert convolution_rates(model, wrapper) == pytest.approx([0, 0.2, 0.4])


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(frozen_layers=3), r'backbone\.frozen_layers=3: the backbone has 3 layers, .* 0 to 2'),
        (dict(frozen_layers=-1), r'frozen_layers=-1'),
        (dict(layer_decay=1.5), r'backbone\.layer_decay=1\.5: give a number above 0'),
        (dict(layer_decay=0), r'layer_decay=0'),
    ],
)
def test_wrong_layers_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        three_layers(backbone=dict(lr=0.1, **settings))


def test_a_stage_can_have_an_optimizer_of_its_own():
    stages = {**STAGES, 'joint': {**STAGES['joint'], 'optimizer': dict(type='AdamW', eps=0.5)}}
    wrapper = constructor(stages=stages)(MODELS.build(model_config()))
    kinds = {stage: type(one.optimizer) for stage, one in wrapper.items()}
    assert kinds == dict(
        warm=torch.optim.Adam, joint=torch.optim.AdamW, last_layer=torch.optim.Adam
    )
    assert wrapper['joint'].optimizer.param_groups[0]['eps'] == 0.5
    assert wrapper['joint'].optimizer.param_groups[0]['weight_decay'] == 1e-3


class WatchNorms(Hook):
    """Notes in which epochs the statistics of batch norm move."""

    def __init__(self):
        self.moved = []

    def before_train_epoch(self, runner):
        self.before = [layer[1].running_mean.clone() for layer in runner.model.backbone.layers]

    def after_train_epoch(self, runner):
        norms = [layer[1] for layer in runner.model.backbone.layers]
        self.moved.append(self.norms_moved(norms))

    def norms_moved(self, norms):
        return [not torch.equal(a.running_mean, b) for a, b in zip(norms, self.before)]


@pytest.mark.parametrize('norm_eval', [False, True])
def test_batch_norm_can_stand_still_where_its_layer_trains(tmp_path, norm_eval):
    config = train_config(tmp_path)
    config['model']['backbone'] = dict(type='ThreeLayers')
    config['optim_wrapper'].update(
        schedule=[dict(stage='tune', epochs=1, push=True), dict(stage='head', epochs=1)],
        stages=dict(
            tune=dict(norm_eval=norm_eval, backbone=dict(lr=0.1, frozen_layers=1)),
            head=dict(norm_eval=norm_eval, last_layer=dict(lr=0.1)),
        ),
    )
    runner = Runner.from_cfg(config)
    watch = WatchNorms()
    runner.register_hook(watch, priority='VERY_HIGH')
    runner.train()
    if norm_eval:
        assert watch.moved == [[False] * 3] * 2
    else:
        assert watch.moved == [[True] * 3] * 2


@pytest.mark.parametrize(
    ('norm_eval', 'last_push', 'patches'),
    [(None, True, True), (False, True, True), (False, False, False)],
)
def test_prototypes_are_patches_or_are_not_said_to_be(tmp_path, norm_eval, last_push, patches):
    config = train_config(tmp_path)
    config['optim_wrapper']['schedule']['last_push'] = last_push
    if norm_eval is not None:
        config['optim_wrapper']['stages']['last_layer']['norm_eval'] = norm_eval
    runner = Runner.from_cfg(config)
    model = runner.train()
    scores = own_patch_scores(model, DATASETS.build(config['push_dataloader']['dataset']))
    exact = (scores - math.log(1e4)).abs().max() < 1e-3
    assert (bool(exact), bool(model.head.prototypes_are_patches)) == (patches, patches)
    best = list(tmp_path.glob('best_*.pth'))
    assert len(best) == 1


@pytest.mark.parametrize('counts', [1, 3])
def test_the_prototypes_constraint_holds_after_every_step(monkeypatch, counts):
    model = MODELS.build(model_config())
    steps = []

    def constrain():
        steps.append(model.head.prototype_vectors.detach().clone())

    monkeypatch.setattr(model.head, 'constrain', constrain)
    wrapper = constructor(accumulative_counts=counts)(model)
    for stage, expected in (('warm', 7), ('joint', 7), ('last_layer', 0)):
        steps.clear()
        wrapper.activate(stage, model, iterations=7)
        for _ in range(7):
            images = torch.rand(3, 3, 16, 16)
            samples = [DataSample().set_gt_label(label) for label in range(3)]
            wrapper.update_params(sum(model.loss(images, samples).values()))
            if steps:  # what was constrained is what the step gave
                assert torch.equal(steps[-1], model.head.prototype_vectors)
        assert len(steps) == math.ceil(expected / counts)


def test_prototypes_of_the_cosine_similarity_keep_unit_length(tmp_path):
    config = train_config(tmp_path, model=model_config(similarity='cosine'))
    lengths = []

    class WatchLength(Hook):
        def after_train_iter(self, runner, *args, **kwargs):
            lengths.append(runner.model.head.prototype_vectors.flatten(1).norm(dim=1))

    runner = Runner.from_cfg(config)
    runner.register_hook(WatchLength())
    runner.train()
    assert len(lengths) == 6 * 3
    torch.testing.assert_close(torch.stack(lengths), torch.ones(18, 6))


def test_stages_have_free_names(tmp_path):
    config = train_config(tmp_path)
    config['optim_wrapper'].update(
        schedule=[
            dict(stage='neck first', epochs=1),
            dict(stage='all', epochs=2, push=True),
        ],
        stages={
            'neck first': dict(neck=dict(lr=0.1)),
            'all': {group: dict(lr=0.01) for group in GROUPS_OF_STAGE['joint'] | {'last_layer'}},
        },
    )
    _, epochs = train(config)
    assert [(stage, moved) for stage, moved, _ in epochs] == [
        ('neck first', {'neck'}),
        *[('all', {'backbone', 'neck', 'prototypes', 'last_layer'})] * 2,
    ]


def test_what_the_user_froze_stays_frozen():
    model = MODELS.build(model_config())
    model.backbone.conv.weight.requires_grad_(False)
    wrapper = constructor()(model)
    wrapper.activate('joint', model, iterations=1)
    assert not model.backbone.conv.weight.requires_grad
    assert model.backbone.bn.weight.requires_grad


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(train_cfg=dict(type='StagedTrainLoop', max_epochs=3)), r'train_cfg\.max_epochs=3'),
        (
            dict(default_hooks=dict(checkpoint=dict(type='CheckpointHook', save_best='auto'))),
            'PushedCheckpointHook',
        ),
        (
            dict(
                default_hooks=dict(param_scheduler=dict(type='ParamSchedulerHook')),
                param_scheduler=dict(
                    warm=[], joint=[dict(type='StepLR', step_size=1)], last_layer=[]
                ),
            ),
            'StagedParamSchedulerHook',
        ),
        (
            dict(custom_hooks=[dict(type='PrototypePushHook'), dict(type='EMAHook')]),
            r"an EMAHook: .*take dict\(type='PushedEMAHook'\)",
        ),
        (
            dict(
                custom_hooks=[
                    dict(type='PrototypePushHook'),
                    dict(type='EarlyStoppingHook', monitor='accuracy/top1'),
                ]
            ),
            "an EarlyStoppingHook: .*set its type to 'PushedEarlyStoppingHook'",
        ),
        (dict(custom_hooks=[]), 'nothing would push the prototypes'),
        (
            dict(param_scheduler=dict(cold=[dict(type='StepLR', step_size=1)])),
            r"param_scheduler has \['cold'\]: the stages",
        ),
        (dict(train_cfg=dict(by_epoch=True, max_epochs=3)), 'StagedTrainLoop'),
    ],
)
def test_parts_that_do_not_know_the_stages_are_refused(tmp_path, change, message):
    with pytest.raises((InputError, RuntimeError), match=message):
        Runner.from_cfg(train_config(tmp_path, **change)).train()


def test_hooks_are_found_by_name():
    assert {'PrototypePushHook', 'PushedCheckpointHook'} <= set(
        HOOKS.children['mmpretrain'].module_dict
    )
