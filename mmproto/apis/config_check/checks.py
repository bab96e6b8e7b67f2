"""The one check of a config before it is run: all that can be told of it, told at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from torch import nn

from mmproto.apis.config_check.effects import check_options, check_runner
from mmproto.apis.config_check.finding import Finding
from mmproto.apis.config_check.fit import check_fit, is_staged
from mmproto.apis.config_check.hooks import check_hook, check_logged_hooks
from mmproto.apis.config_check.names import check_names
from mmproto.apis.config_check.parts import parts_of
from mmproto.apis.config_check.rehearsal import (
    batch_of,
    check_monitored,
    losses_of,
    metrics_of,
    take_steps,
)
from mmproto.apis.config_check.sections import check_sections
from mmproto.apis.config_check.trial import Trial, quiet, scratch_runner
from mmproto.apis.config_check.values import check_intervals, check_numbers, check_values
from mmproto.datasets.checks import check_label_counts
from mmproto.engine.hooks import FrozenBackboneHook, PrototypePushHook, ShardedPrototypesHook
from mmproto.engine.loop import StagedTrainLoop
from mmproto.errors import InputListError

TRAINING = ('train', 'val')


def check_config(
    cfg: Config,
    options: Iterable[str] = (),
    sets: Sequence[str] = TRAINING,
    needed: bool = True,
) -> list[Finding]:
    """Find what is wrong with a config, before time is spent.

    Names, values, what has no effect and what has to fit is looked at first. Only where that is
    sound each part is built on the CPU, without pretrained weights, and a few images go through.

    .. code:: python

        cfg = load_config('configs/protopnet/vgg19_cub.py')
        for finding in check_config(cfg):
            print(finding)

    Args:
        cfg: The config, as of :func:`mmproto.apis.load_config`; it stays as it is.
        options: Names of settings that the command line has set.
        sets: Which data are used: of 'train', to train the model, 'val', 'push' and 'test'.
        needed: Whether their data have to be there.

    Returns:
        What was found; empty where nothing was.
    """
    findings = check_settings(cfg, options)
    if not findings:
        with quiet():
            findings = _build(cfg, sets, needed)
    return _once(findings)


def require_sound(
    cfg: Config,
    options: Iterable[str] = (),
    sets: Sequence[str] = TRAINING,
    misspelt: Iterable[str] = (),
) -> None:
    """Check a config as :func:`check_config` does.

    Args:
        cfg: The config.
        options: Names of settings that the command line has set.
        sets: Which data are used.
        misspelt: What :func:`mmproto.apis.load_config` has found, to be told with the rest.

    Raises:
        InputListError: If anything is wrong, a line for each finding.
    """
    lines = [*misspelt, *map(str, check_config(cfg, options, sets))]
    if lines:
        raise InputListError(*lines)


def check_settings(cfg: Config, options: Iterable[str] = ()) -> list[Finding]:
    """Find what is wrong with a config as it is read, without building anything, in no time."""
    scope = cfg.get('default_scope')
    init_default_scope(scope if scope in [*MODELS.children] else 'mmpretrain')
    return _once(_check_settings(dict(cfg.items()), options))


def _once(findings: Iterable[Finding]) -> list[Finding]:
    return list({str(finding): finding for finding in findings}.values())


def _check_settings(settings: Mapping, options: Iterable[str]) -> Iterator[Finding]:
    yield from check_sections(settings)
    yield from check_runner(settings)
    for part in parts_of(settings):
        yield from check_names(part)
        yield from check_values(part)
        yield from check_hook(part)
    yield from check_logged_hooks(settings)
    yield from check_numbers('', settings)
    yield from check_intervals(settings.get('train_cfg'))
    yield from check_fit(settings)
    yield from check_options(settings, options)


def _build(cfg: Config, sets: Sequence[str], needed: bool) -> list[Finding]:
    trial = Trial(cfg)
    model = trial.build_model()
    names = [*sets]
    if 'train' in sets and cfg.get('test_dataloader') != cfg.get('val_dataloader'):
        names.append('test')  # where its data are there
    missing = [name for name in names if cfg.get(f'{name}_dataloader') is None]
    if needed and 'train' not in sets and missing:
        trial.findings.append(Finding('', f'the config has no {missing[0]}_dataloader: add one'))
    names = [name for name in names if name not in missing]
    loaders = {
        name: trial.build_loader(f'{name}_dataloader', needed and name in sets) for name in names
    }
    for name in names:
        if cfg.get(f'{name}_evaluator') is not None:
            trial.build_metrics(f'{name}_evaluator')
    if model is None or trial.findings:
        return trial.findings
    with scratch_runner(trial.cfg, model) as runner:
        trial.build_rest(runner)
        trial.register_hooks(runner)
        for name, loader in loaders.items():
            setattr(runner, f'_{name}_dataloader', loader)
        if 'train' in loaders:
            _build_training(trial, runner)
        if not trial.findings:
            _rehearse(trial, runner, model, loaders)
    return trial.findings


def _build_training(trial: Trial, runner: Runner) -> None:
    cfg = trial.cfg
    runner.optim_wrapper, runner.param_schedulers = cfg.optim_wrapper, cfg.get('param_scheduler')
    before = len(trial.findings)
    with trial.at('train_cfg'):
        runner._check_scheduler_cfg(runner.param_schedulers)
        runner._train_loop = runner.build_train_loop(cfg.train_cfg)
    with trial.at('optim_wrapper'):
        runner.optim_wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
    if len(trial.findings) > before:
        return
    with trial.at('auto_scale_lr'):
        runner.scale_lr(runner.optim_wrapper, cfg.get('auto_scale_lr'))
    loop = runner._train_loop
    if runner.param_schedulers is not None:
        with trial.at('param_scheduler'):
            runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
            for epoch in loop.schedule.restarts if isinstance(loop, StagedTrainLoop) else ():
                runner.build_param_scheduler(
                    {**runner.param_schedulers, **loop.schedulers_from(epoch)}
                )
    if isinstance(loop, StagedTrainLoop) and len(trial.findings) == before:
        with trial.at('custom_hooks'):
            loop.check_hooks()
            for hook in runner.hooks:
                if isinstance(hook, ShardedPrototypesHook):
                    hook.check(runner)


def _rehearse(trial: Trial, runner: Runner, model: nn.Module, loaders: dict) -> None:
    if 'train' in loaders:
        with trial.at('train_dataloader'):
            batch = batch_of(loaders['train'], 'train_dataloader')
        for hook in runner.hooks:
            if isinstance(hook, PrototypePushHook) and is_staged(trial.cfg.optim_wrapper):
                with trial.at('push_dataloader'):
                    hook.before_train(runner)
                    batch_of(hook.dataloader, 'push_dataloader')
            if isinstance(hook, FrozenBackboneHook):
                with trial.at('custom_hooks'):
                    hook.check(runner)
        if not trial.findings:
            with trial.at('model'):
                losses_of(model, batch)
    one_class = getattr(model.head, 'predicts_one_class', None)
    for name in [name for name, loader in loaders.items() if loader and name != 'train']:
        if one_class is not None:
            with trial.at(f'{name}_dataloader'):
                check_label_counts(loaders[name].dataset, one_class, f'{name}_dataloader')
        probed: dict | None = None
        with trial.at(f'{name}_dataloader'):
            probed = batch_of(loaders[name], f'{name}_dataloader')
        if probed is None or name == 'push':
            continue
        with trial.at(f'{name}_evaluator'):
            evaluator = runner.build_evaluator(trial.cfg[f'{name}_evaluator'])
            metrics = metrics_of(model, loaders[name].dataset, probed, evaluator)
            if metrics is not None and name == 'val':
                trial.findings += check_monitored(runner, metrics)
    if 'train' in loaders:
        with trial.at('optim_wrapper'):  # the last, as decay moves the weights
            take_steps(runner.optim_wrapper)
