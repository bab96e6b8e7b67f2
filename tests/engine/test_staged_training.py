import copy

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpretrain.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS

from mmproto.errors import InputError
from tests.toy import STAGES, loader, model_config, train_config

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


def test_a_resumed_run_ends_where_the_whole_one_does(tmp_path):
    whole, _ = train(train_config(tmp_path / 'whole', param_scheduler=SCHEDULERS))
    cut = train_config(tmp_path / 'cut', param_scheduler=SCHEDULERS)
    runner = Runner.from_cfg(copy.deepcopy(cut))

    class Stop(Hook):
        priority = 'LOWEST'

        def after_train_epoch(self, runner):
            runner.train_loop.stop_training = runner.epoch == 3  # pushed and saved

    runner.register_hook(Stop())
    runner.train()
    cut['experiment_name'] = 'resumed'
    resumed, epochs = train({**cut, 'resume': True})
    assert [stage for stage, _, _ in epochs] == ['last_layer'] * 2
    expected = whole.model.state_dict()
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(value, expected[name]), name


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
    assert last == pytest.approx([1e-4, 5e-5, 2.5e-5, 1.25e-5])


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
        config['optim_wrapper']['schedule'] = dict(epochs=2, push_epochs=[1], last_layer_epochs=1)
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
    assert 'prototypes moved by a squared distance of' in text
    assert 'accuracy/top1 was' in text


def test_a_schedule_that_ends_without_patches_is_warned_about(tmp_path):
    config = train_config(tmp_path)
    config['optim_wrapper']['schedule'].update(epochs=5)
    Runner.from_cfg(config).train()
    text = next(tmp_path.glob('*/*.log')).read_text()
    assert 'The last push is not the last thing that this schedule does' in text


def constructor(**changes):
    cfg = dict(optimizer=dict(type='Adam'), schedule={}, stages=STAGES)
    return OPTIM_WRAPPER_CONSTRUCTORS.get('ProtoPNetOptimWrapperConstructor')({**cfg, **changes})


@pytest.mark.parametrize(
    ('stages', 'message'),
    [
        ({**STAGES, 'cold': {}}, r"stages has \['cold'\]"),
        (dict(warm=STAGES['warm'], joint=STAGES['joint']), r"lacks \['last_layer'\]"),
        ({**STAGES, 'warm': dict(head=dict(lr=1))}, r"stages\.warm has \['head'\]"),
        ({**STAGES, 'warm': {}}, r'stages\.warm has nothing to train'),
    ],
)
def test_wrong_stages_are_refused(stages, message):
    with pytest.raises(InputError, match=message):
        constructor(stages=stages)(MODELS.build(model_config()))


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
        (dict(custom_hooks=[dict(type='PrototypePushHook'), dict(type='EMAHook')]), 'EMAHook'),
        (dict(custom_hooks=[]), 'nothing would push the prototypes'),
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
