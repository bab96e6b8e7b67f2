"""A training whose prototypes are shared out among processes is that of one process."""

import os

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper
from mmengine.registry import init_default_scope

from mmproto.engine.runner import QuietRunner
from mmproto.errors import InputError
from mmproto.models import unwrap_model
from tests.toy import loader, model_config, train_config

BATCH = 12  # images of all processes
PHASES = [
    dict(stage='joint', epochs=1, push=True),
    dict(stage='warm', epochs=1),
    dict(stage='alone', epochs=1),
    dict(stage='joint', epochs=1, push=True),
]


def config_of(folder, processes=1, phases=PHASES, hook=True, count=28, round_up=True, **changes):
    config = train_config(folder, experiment_name=str(folder).replace('/', '_'), **changes)
    config['model'] = model_config(last_layer='block_sparse', prototypes_per_class=[3, 1, 3])
    config['model']['backbone']['batch_norm'] = False  # its statistics are of a process's images
    wrapper = config['optim_wrapper']
    wrapper['optimizer'] = dict(type='SGD', lr=0.1, momentum=0.9)  # unlike Adam it sees a scale
    wrapper['schedule'] = phases
    wrapper['stages']['alone'] = dict(prototypes=dict(lr=0.1))  # nothing is left to DDP
    # Of 28 images the last batch is smaller.
    images = config['train_dataloader'] = loader(BATCH // processes, shuffle=True, count=count)
    images['sampler']['round_up'] = round_up
    config['default_hooks']['sampler_seed'] = dict(type='EpochSeedHook')
    if hook:
        config['custom_hooks'] += [dict(type='FiniteHook'), dict(type='ShardedPrototypesHook')]
    return Config(config)


def run_process(rank, processes, folder, settings):
    """One process of a training; on several, as tools/dist_train.sh starts it."""
    init_default_scope('mmpretrain')
    torch.set_num_threads(1)
    cfg = config_of(folder, processes, **settings)
    if processes > 1:
        os.environ['LOCAL_RANK'] = str(rank)
        torch.distributed.init_process_group(
            'gloo', f'file://{folder}.rendezvous', rank=rank, world_size=processes
        )
        cfg.launcher = 'pytorch'
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False,
            find_unused_parameters=True,
        )  # fmt: skip
    held = set()
    runner = QuietRunner.from_cfg(cfg)
    head = unwrap_model(runner.model).head
    compute = head.outputs

    def outputs(*args, **kwargs):
        momentum = [
            len(value)
            for wrapper in runner.optim_wrapper.values()
            for value in wrapper.optimizer.state.get(head.prototype_vectors, {}).values()
            if value is not None and value.ndim
        ]
        if torch.is_grad_enabled():
            held.update([len(head.prototype_vectors), *momentum])
        return compute(*args, **kwargs)

    head.outputs = outputs
    runner.train()
    torch.save(sorted(held), f'{folder}/held_{rank}.pth')
    if processes > 1:
        torch.distributed.destroy_process_group()


def train(folder, processes, **settings):
    """Train in forked processes, which are there at once; each computes on one thread."""
    arguments = processes, str(folder), settings
    mp.start_processes(run_process, arguments, processes, start_method='fork')
    return folder


def numbers(path):
    """All tensors of weights and optimizers of a checkpoint, by name."""

    def walk(value, name):
        if isinstance(value, torch.Tensor):
            yield name, value
        elif isinstance(value, dict):
            for key, part in value.items():
                yield from walk(part, f'{name}.{key}')

    checkpoint = torch.load(path, weights_only=False)
    return dict(walk({key: checkpoint[key] for key in ('state_dict', 'optimizer')}, ''))


def assert_same(ours, theirs, **tolerance):
    ours, theirs = numbers(ours), numbers(theirs)
    assert ours.keys() == theirs.keys()
    assert '.optimizer.joint.state.4.momentum_buffer' in ours
    for name, value in ours.items():
        torch.testing.assert_close(
            value, theirs[name], equal_nan=True, msg=lambda text, name=name: f'{name}: {text}',
            **tolerance,
        )  # fmt: skip


NEAR = dict(rtol=1e-4, atol=1e-5)


def test_two_processes_train_and_push_as_one_does(tmp_path):
    short = dict(phases=PHASES[:1])
    one = train(tmp_path / 'one', 1, hook=False, **short)
    two = train(tmp_path / 'two', 2, **short)
    assert_same(two / 'epoch_1.pth', one / 'epoch_1.pth', **NEAR)
    assert [torch.load(two / f'held_{rank}.pth') for rank in (0, 1)] == [[3], [4]]
    pushed = [numbers(folder / 'epoch_1.pth') for folder in (one, two)]
    for name in ('prototype_image', 'prototype_location', 'prototypes_are_patches'):
        assert torch.equal(*(state[f'.state_dict.head.{name}'] for state in pushed)), name


@pytest.mark.slow
def test_a_training_goes_on_with_another_number_of_processes(tmp_path):
    one = train(tmp_path / 'one', 1, hook=False)
    two = train(tmp_path / 'two', 2)
    assert_same(two / 'epoch_4.pth', one / 'epoch_4.pth', **NEAR)
    resume = dict(load_from=str(two / 'epoch_2.pth'), resume=True)
    again = train(tmp_path / 'again', 2, **resume)
    assert_same(again / 'epoch_4.pth', two / 'epoch_4.pth', rtol=0, atol=0)
    for processes, hook in ((4, True), (1, True), (2, False)):
        other = train(tmp_path / f'{processes}{hook}', processes, hook=hook, **resume)
        assert_same(other / 'epoch_4.pth', two / 'epoch_4.pth', **NEAR)


def run_uneven(rank, folder):
    with pytest.raises(InputError, match=r'which are given \[15, 14\]: set train_dataloader'):
        run_process(rank, 2, folder, dict(count=29, round_up=False))


@pytest.mark.slow
def test_unequal_numbers_of_images_are_refused(tmp_path):
    mp.start_processes(run_uneven, (str(tmp_path / 'work'),), 2, start_method='fork')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda cfg: cfg.model.head.update(
                loss=dict(type='ProtoPNetLoss', contrast=dict(type='PrototypeContrastCost'))
            ),
            r'model\.head\.loss\.contrast compares prototypes',
        ),
        (
            lambda cfg: cfg.optim_wrapper.update(clip_grad=dict(max_norm=1)),
            r'optim_wrapper\.clip_grad looks at all gradients',
        ),
        (
            lambda cfg: cfg.optim_wrapper.update(accumulative_counts=2),
            r'optim_wrapper\.stages\.alone trains them alone, with accumulative_counts',
        ),
        (
            lambda cfg: setattr(cfg.optim_wrapper, 'optimizer', dict(type='TorchAdafactor')),
            'the optimizer Adafactor may look at all prototypes',
        ),
        (
            lambda cfg: cfg.custom_hooks.append(dict(type='PushedEMAHook')),
            'the PushedEMAHook averages prototypes',
        ),
        (
            lambda cfg: cfg.default_hooks.checkpoint.update(by_epoch=False, save_best=None),
            r'default_hooks\.checkpoint\.by_epoch=False saves within an epoch',
        ),
    ],
    ids=['contrast', 'clipping', 'accumulation', 'optimizer', 'average', 'saving'],
)
def test_what_looks_at_prototypes_of_others_is_refused(tmp_path, change, message):
    cfg = config_of(tmp_path)
    change(cfg)
    with pytest.raises(
        InputError, match=f'ShardedPrototypesHook gives .* but {message}.* leave one'
    ):
        QuietRunner.from_cfg(cfg).train()
    assert not list(tmp_path.glob('*.pth'))


def test_a_loss_that_is_scaled_is_refused(tmp_path):
    runner = QuietRunner.from_cfg(config_of(tmp_path))
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.optim_wrapper.optim_wrappers['joint'].__class__ = AmpOptimWrapper  # which needs a GPU
    with pytest.raises(InputError, match=r"optim_wrapper\.type='AmpOptimWrapper' scales"):
        runner.train()


def test_no_share_is_saved_as_if_it_were_all(tmp_path):
    runner = QuietRunner.from_cfg(config_of(tmp_path))
    runner.model.head.share_out()
    with pytest.raises(InputError, match='but a hook of custom_hooks saves within an epoch'):
        runner.save_checkpoint(str(tmp_path), 'within.pth', save_optimizer=False)
    assert not list(tmp_path.glob('*.pth'))
