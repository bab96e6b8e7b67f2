import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmproto.errors import InputError
from tests.engine.test_staged_training import check_resumed
from tests.toy import loader, train_config

# Three steps an epoch: 3 of warm, 6 up to the first push, 3 up to the second.
SCHEDULE = [
    dict(stage='warm', epochs=1),
    dict(stage='joint', epochs=2, push=True),
    dict(stage='joint', epochs=1, push=True),
]


def config(work_dir, momentum=0.1, schedule=SCHEDULE):
    cfg = train_config(work_dir)
    cfg['optim_wrapper']['schedule'] = schedule
    cfg['custom_hooks'].append(dict(type='PushedEMAHook', momentum=momentum))
    return cfg


def weights_of(runner):
    return {name: weight.detach().clone() for name, weight in runner.model.named_parameters()}


class Watch(Hook):
    """Notes the weights of each step, and those at the end of each epoch."""

    priority = 'LOWEST'

    def __init__(self):
        self.steps, self.ends = [], []

    def after_train_iter(self, runner, **kwargs):
        self.steps.append(weights_of(runner))

    def after_train_epoch(self, runner):
        self.ends.append(weights_of(runner))


def train(cfg):
    runner = Runner.from_cfg(cfg)
    watch = Watch()
    runner.register_hook(watch)
    runner.train()
    return runner, watch


def average(steps, name, momentum):
    """By a plain loop: the mean at first, then a moving average."""
    mean = steps[0][name]
    for number, step in enumerate(steps[1:], start=2):
        share = max(momentum, 1 / number)
        mean = (1 - share) * mean + share * step[name]
    return mean


@pytest.mark.parametrize('momentum', [0.01, 0.4])
def test_the_average_of_the_steps_since_the_last_push_is_pushed_and_saved(tmp_path, momentum):
    _, watch = train(config(tmp_path, momentum))
    for epoch, steps in ((2, watch.steps[3:9]), (3, watch.steps[9:])):
        saved = torch.load(tmp_path / f'epoch_{epoch + 1}.pth')['state_dict']
        for name in ('backbone.conv.weight', 'neck.add_on_layers.0.weight'):
            expected = average(steps, name, momentum)
            torch.testing.assert_close(watch.ends[epoch][name], expected, msg=name)
            assert torch.equal(saved[name], watch.ends[epoch][name])
            assert not torch.allclose(expected, steps[-1][name], rtol=1e-4)
        assert saved['head.prototypes_are_patches']
    # training goes on from it: a step of Adam is no longer than a few learning rates
    moved = (watch.steps[9]['backbone.conv.weight'] - watch.ends[2]['backbone.conv.weight']).abs()
    assert 0 < moved.max() < 3e-4


def test_a_small_momentum_makes_it_the_mean(tmp_path):
    _, watch = train(config(tmp_path, 1e-6))
    mean = torch.stack([step['backbone.conv.weight'] for step in watch.steps[3:9]]).mean(dim=0)
    torch.testing.assert_close(watch.ends[2]['backbone.conv.weight'], mean)


def test_what_a_stage_does_not_train_stays_to_the_bit(tmp_path):
    cfg = config(tmp_path, schedule=[dict(stage='warm', epochs=2, push=True)])
    runner = Runner.from_cfg(cfg)
    before = weights_of(runner)
    runner.train()
    after = weights_of(runner)
    assert torch.equal(before['backbone.conv.weight'], after['backbone.conv.weight'])
    assert not torch.equal(
        before['neck.add_on_layers.0.weight'], after['neck.add_on_layers.0.weight']
    )


def test_batch_norm_has_the_statistics_of_the_averaged_network(tmp_path):
    """All images are one batch, so the statistics are those of that batch."""
    cfg = config(tmp_path, schedule=[dict(stage='joint', epochs=4, push=True)])
    cfg['train_dataloader'] = loader(batch_size=12, shuffle=True)
    runner, _ = train(cfg)
    model, dataset = runner.model, runner.train_dataloader.dataset
    images = torch.stack([dataset[i]['inputs'] for i in range(len(dataset))]).float()
    maps = model.backbone.conv(images / 255)
    torch.testing.assert_close(model.backbone.bn.running_mean, maps.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(model.backbone.bn.running_var, maps.var(dim=(0, 2, 3)))


def test_batch_norm_that_stands_still_stays_as_it_is(tmp_path):
    cfg = config(tmp_path, schedule=[dict(stage='joint', epochs=2, push=True)])
    cfg['optim_wrapper']['stages']['joint']['norm_eval'] = True
    runner, _ = train(cfg)
    assert torch.equal(runner.model.backbone.bn.running_mean, torch.zeros(8))


def test_prototypes_are_what_their_similarity_asks_for_before_the_push(tmp_path):
    """The mean of directions is no direction: of length 1 it is only when it is made so."""
    cfg = config(tmp_path)
    cfg['model']['head']['similarity'] = 'cosine'
    lengths = []

    class NoteLengths(Hook):
        priority = 'ABOVE_NORMAL'

        def after_train_epoch(self, runner):
            lengths.append(runner.model.head.prototype_vectors.flatten(1).norm(dim=1))

    runner = Runner.from_cfg(cfg)
    runner.register_hook(NoteLengths())
    runner.train()
    for length in lengths:
        torch.testing.assert_close(length, torch.ones(6))


# in the middle of an average, after a push, after a change of the stage
@pytest.mark.parametrize('after', [2, 3, 1])
def test_a_resumed_run_ends_where_the_whole_one_does(tmp_path, after):
    cfg = config(tmp_path, 0.2)
    changes = dict(optim_wrapper=cfg['optim_wrapper'], custom_hooks=cfg['custom_hooks'])
    check_resumed(tmp_path, after, **changes)
    state = torch.load(tmp_path / 'cut' / f'epoch_{after}.pth')
    assert ('weight_average' in state) == (after != 3)


@pytest.mark.parametrize('momentum', [0, 1, -0.1])
def test_a_momentum_that_averages_nothing_is_refused(tmp_path, momentum):
    with pytest.raises(InputError, match=r'PushedEMAHook\.momentum=.*between 0 and 1'):
        Runner.from_cfg(config(tmp_path, momentum))
