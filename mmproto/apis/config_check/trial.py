"""Builds what a config names, each part by itself, to hear what its class says to the settings."""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from mmpretrain.registry import DATASETS, METRICS, MODELS, TRANSFORMS
from torch import nn
from torch.utils.data import DataLoader

from mmproto.apis.classifier import without_pretrained
from mmproto.apis.config_check.finding import Finding, valued
from mmproto.apis.config_check.parts import PARTS, is_list, parts_of
from mmproto.apis.config_check.sections import SECTIONS
from mmproto.errors import InputError

NAME = 'config_check'
WORKERS = ('num_workers', 'persistent_workers', 'prefetch_factor', 'pin_memory')
UNEXPECTED = re.compile(r"got an unexpected keyword argument '(\w+)'")
# How MMEngine's registries begin an error of a class that they build.
BUILDING = re.compile(r'^class `\w+` in \S+: ')
# Hooks that MMEngine registers where a config says nothing; None takes one away.
OWN_HOOKS = dict(
    runtime_info='RuntimeInfoHook',
    timer='IterTimerHook',
    sampler_seed='DistSamplerSeedHook',
    logger='LoggerHook',
    param_scheduler='ParamSchedulerHook',
    checkpoint='CheckpointHook',
)
# How the message of an InputError begins that names its setting.
NAMED = re.compile(rf'\b({"|".join([*SECTIONS, "param_scheduler", "val_evaluator"])})\b')


class ScratchRunner(Runner):
    """MMEngine's, on the CPU, with nothing but a model: other parts are built one by one."""

    def wrap_model(self, model_wrapper_cfg: Any, model: nn.Module) -> nn.Module:
        """Leave the model as and where it is."""
        return model


class Trial:
    """The parts of a config, built; what cannot be is found.

    Attributes:
        cfg: The config.
        findings: What was found.
    """

    def __init__(self, cfg: Config) -> None:
        self.cfg = deepcopy(cfg)
        self.findings: list[Finding] = []

    @contextmanager
    def at(self, setting: str) -> Iterator[None]:
        """Find what goes wrong in here."""
        try:
            yield
        except Exception as error:  # whatever a class raises for what it is given
            self.findings.append(finding_of(error, setting))

    def build_model(self) -> nn.Module | None:
        """Build the model with random weights."""
        settings = self.cfg.model
        if isinstance(settings.get('backbone'), Mapping):
            without_pretrained(self.cfg)
        if self.cfg.get('data_preprocessor') is not None:
            settings.setdefault('data_preprocessor', self.cfg.data_preprocessor)
        try:
            return MODELS.build(deepcopy(settings))
        except InputError as error:
            self.findings.append(finding_of(error, 'model'))
        except Exception as error:  # whatever a class raises for what it is given
            self.findings.append(finding_of(error, f'model{_culprit(settings)}'))
        return None

    def build_loader(self, name: str, needed: bool = True) -> DataLoader | None:
        """Build a loader, without workers; where it is not needed, its data may be elsewhere."""
        settings = {key: one for key, one in self.cfg[name].items() if key not in WORKERS}
        before = len(self.findings)
        with self.at(f'{name}.dataset'):
            try:
                settings['dataset'] = DATASETS.build(settings['dataset'])
            except (InputError, OSError):
                if not needed:
                    self._build_transforms(name)
                    return None
                raise
            size = len(settings['dataset'])
            if not size:
                raise InputError(f'{name}.dataset has no image')
        if len(self.findings) > before:
            return None
        with self.at(name):
            loader = Runner.build_dataloader(settings, seed=0)
            if not len(loader):
                raise InputError(
                    f'{name} has no batch: drop_last=True leaves out the only one, as batch_size='
                    f'{settings.get("batch_size")} exceeds the {size} images; lower '
                    f'{name}.batch_size, or set {name}.drop_last=False'
                )
            return loader
        return None

    def _build_transforms(self, name: str) -> None:
        """Build the transforms of a loader's data set by themselves, as far as they can be."""
        for part in parts_of({name: self.cfg[name]}):
            if part.registry is TRANSFORMS:
                with self.at(part.setting):
                    TRANSFORMS.build(deepcopy(part.config))

    def build_metrics(self, name: str) -> bool:
        """Build the metrics of an evaluator; returns whether all can be."""
        config = self.cfg[name]
        if isinstance(config, Mapping) and 'metrics' in config:
            config, name = config['metrics'], f'{name}.metrics'
        before = len(self.findings)
        for number, metric in enumerate(config if is_list(config) else [config]):
            with self.at(f'{name}.{number}' if is_list(config) else name):
                METRICS.build(deepcopy(metric))
        return len(self.findings) == before

    def register_hooks(self, runner: Runner) -> None:
        """Give the runner its hooks."""
        own = {name: dict(type=kind) for name, kind in OWN_HOOKS.items()}
        own |= self.cfg.get('default_hooks') or {}
        for name, hook in own.items():
            with self.at(f'default_hooks.{name}'):
                if hook is not None:
                    runner.register_hook(deepcopy(hook))
                elif name not in OWN_HOOKS:
                    raise InputError(
                        f'default_hooks.{name}=None: MMEngine has no such hook to leave out, but '
                        f'{", ".join(OWN_HOOKS)}; remove the name with _delete_=True'
                    )
        for number, hook in enumerate(self.cfg.get('custom_hooks') or ()):
            with self.at(f'custom_hooks.{number}'):
                runner.register_hook(deepcopy(hook))

    def build_rest(self, runner: Runner) -> None:
        """Build what only logs and draws."""
        for name, build in self._builders(runner).items():
            if self.cfg.get(name) is not None:
                with self.at(name):
                    build(deepcopy(self.cfg[name]))

    @staticmethod
    def _builders(runner: Runner) -> dict[str, Callable]:
        return dict(visualizer=runner.build_visualizer, log_processor=runner.build_log_processor)


def _culprit(settings: Mapping) -> str:
    """Return the setting without which a model can be built, as of '.backbone.out_indices=7'."""
    for part in PARTS:
        config: Any = settings.get(part)
        for key in [*config] if isinstance(config, Mapping) else ():
            without = {name: value for name, value in config.items() if name != key}
            if _can_be_built({**settings, part: without}):
                return valued(f'.{part}.{key}', config[key])
    return '' if _can_be_built(settings.get('backbone')) else '.backbone'


def _can_be_built(settings: Any) -> bool:
    try:
        MODELS.build(deepcopy(settings))
    except Exception:  # whatever a class raises for what it is given
        return False
    return True


@contextmanager
def scratch_runner(cfg: Config, model: nn.Module) -> Iterator[Runner]:
    """Yield a runner of a model, which writes and says nothing, and leaves nothing behind."""
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        runner = ScratchRunner(
            model,
            folder,
            default_scope=cfg.get('default_scope') or 'mmpretrain',
            default_hooks=dict.fromkeys(OWN_HOOKS),
            log_level='ERROR',
            experiment_name=NAME,
            randomness=dict(seed=0),
        )
        runner.cfg = cfg
        try:
            yield runner
        finally:
            for handler in runner.logger.handlers:
                handler.close()
            for kind in (MMLogger, MessageHub, DefaultScope, Visualizer):
                kind._instance_dict.pop(runner.experiment_name, None)


@contextmanager
def quiet() -> Iterator[None]:
    """Let what is logged in here go nowhere."""
    MMLogger.get_instance(NAME, logger_name=NAME, log_level='ERROR')
    try:
        yield
    finally:
        MMLogger._instance_dict.pop(NAME, None)


def finding_of(error: Exception, setting: str) -> Finding:
    """Turn what a class raises into a line about its setting."""
    text = BUILDING.sub('', str(error).strip())
    if isinstance(error, InputError):
        own = text.splitlines()[-1].removeprefix('mmproto.errors.InputError: ')
        return Finding('' if NAMED.search(own) else setting, own)
    if match := UNEXPECTED.search(text):
        place = setting if f'.{match[1]}=' in setting else f'{setting}.{match[1]}'
        return Finding(place, f'{place} is not taken: remove it')
    if isinstance(error, KeyError):
        text = f'there is no {text}'
    lines = text.splitlines() or ['no reason is given']
    return Finding(setting, f'{setting} does not work: {lines[0]} ({type(error).__name__})')
