"""The sections of a config: which there are, and what MMEngine's runner reads of each."""

import inspect
import logging
from collections.abc import Iterator, Mapping
from multiprocessing import get_all_start_methods
from typing import Any

from mmengine.registry import MODELS
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmproto.apis.config_check.finding import VERY_ALIKE, Finding, did_you_mean, nearest, valued
from mmproto.apis.config_check.parts import LOADERS, is_list

# What the runner, its launchers and mmproto read of a config beside the runner's own arguments.
READ = {*inspect.signature(Runner.__init__).parameters} - {'self', 'cfg'} | {
    'activation_checkpointing', 'compile', 'custom_imports', 'efficient_conv_bn_eval',
    'find_unused_parameters', 'model_wrapper_cfg', 'push_dataloader', 'runner_type',
    'interpolation', 'strategy', 'sync_bn', 'tta_model', 'tta_pipeline',
}  # fmt: skip
SECTIONS: dict[str, Any] = {
    'model': Mapping, 'data_preprocessor': Mapping, 'optim_wrapper': Mapping,
    'train_cfg': Mapping, 'val_cfg': Mapping, 'test_cfg': Mapping, 'default_hooks': Mapping,
    'auto_scale_lr': Mapping, 'env_cfg': Mapping, 'randomness': Mapping, 'visualizer': Mapping,
    'log_processor': Mapping, 'custom_hooks': list, 'load_from': str,
    'find_unused_parameters': bool, 'log_level': (str, int), 'default_scope': str,
    'experiment_name': str, 'work_dir': str, **dict.fromkeys(LOADERS, Mapping),
}  # fmt: skip
KEYS = dict(
    auto_scale_lr={'enable', 'base_batch_size'},
    env_cfg={'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    randomness={'seed', 'deterministic', 'diff_rank_seed'},
)
SWITCHES = (
    'auto_scale_lr.enable',
    'env_cfg.cudnn_benchmark',
    'randomness.deterministic',
    'randomness.diff_rank_seed',
)
# None of these is left out without the others of its line.
TOGETHER = [
    ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    ('val_dataloader', 'val_cfg', 'val_evaluator'),
    ('test_dataloader', 'test_cfg', 'test_evaluator'),
]
WORDS = {Mapping: 'a dict', list: 'a list', str: 'a text', bool: 'True or False'}
OF_PROCESSES = {'mp_start_method', 'opencv_num_threads'}
OF_LOADER = {*inspect.signature(DataLoader.__init__).parameters} - {'self'} | {
    'num_batch_per_epoch',
    'disable_subprocess_warning',
}


def check_sections(cfg: Mapping) -> Iterator[Finding]:
    """Check the kind of every section, those that belong together, and their keys."""
    for name, kind in SECTIONS.items():
        value = cfg.get(name)
        if value is not None and not isinstance(value, kind):
            words = WORDS.get(kind, 'a text') if isinstance(kind, type) else 'a text'
            yield Finding(name, f'{valued(name, value)}: it has to be {words}')
    for names in TOGETHER:
        missing = [name for name in names if cfg.get(name) is None]
        if 0 < len(missing) < len(names):
            there = [name for name in names if name not in missing]
            yield Finding(
                missing[0],
                f'{" and ".join(missing)} {"is" if len(missing) == 1 else "are"} missing, but '
                f'{" and ".join(there)} {"is" if len(there) == 1 else "are"} there: set all of '
                f'{", ".join(names)}, or none',
            )
    scheduler = cfg.get('param_scheduler')
    if isinstance(scheduler, str | int | float):
        yield Finding(
            'param_scheduler',
            f'param_scheduler={scheduler!r}: give a list of schedulers, or one for each stage',
        )
    if cfg.get('resume') not in (None, True, False, 'auto'):
        yield Finding('resume', f'resume={cfg["resume"]!r}: it has to be True or False')
    model = cfg.get('model')
    if model is None:
        yield Finding('model', 'model is missing: configs/_base_/models has some')
    elif isinstance(model, Mapping) and not isinstance(model.get('backbone', {}), Mapping):
        place = 'model.backbone'
        yield Finding(place, f'{valued(place, model["backbone"])}: give a dict with its type')
    for name, known in KEYS.items():
        yield from _unknown_keys(name, cfg.get(name), known)
    yield from _check_environment(cfg)
    for name in LOADERS:
        yield from _check_loader(name, cfg.get(name))
    level = cfg.get('log_level')
    if isinstance(level, str) and not isinstance(logging.getLevelName(level), int):
        yield Finding('log_level', f'log_level={level!r}: name a level of logging, such as INFO')
    yield from _misspelt_sections(cfg)


def _check_environment(cfg: Mapping) -> Iterator[Finding]:
    """Check what MMEngine reads before it builds anything."""
    scope = cfg.get('default_scope')
    scopes = {'mmengine', *MODELS.children}
    if isinstance(scope, str) and scope not in scopes:
        yield Finding(
            'default_scope',
            f'default_scope={scope!r} is no scope of a registry; {did_you_mean(scope, scopes)}',
        )
    model = cfg.get('model')
    kind = model.get('type') if isinstance(model, Mapping) else None
    if scope is None and isinstance(kind, str) and '.' not in kind:
        yield Finding(
            'default_scope',
            "default_scope is missing: set it to 'mmpretrain', whose classes these are",
        )
    environment = cfg.get('env_cfg')
    for place in SWITCHES:
        name, key = place.split('.')
        section = cfg.get(name)
        if isinstance(section, Mapping) and not isinstance(section.get(key, False), bool):
            yield Finding(place, f'{place}={section[key]!r}: it has to be True or False')
    if isinstance(environment, Mapping) and type(environment.get('resource_limit', 0)) is not int:
        place = 'env_cfg.resource_limit'
        yield Finding(
            place, f'{place}={environment["resource_limit"]!r}: it has to be a whole number'
        )
    for key in ('mp_cfg', 'dist_cfg'):
        value = environment.get(key) if isinstance(environment, Mapping) else None
        if value is not None and not isinstance(value, Mapping):
            yield Finding(f'env_cfg.{key}', f'env_cfg.{key}={value!r}: it has to be a dict')
        elif key == 'mp_cfg':
            yield from _unknown_keys('env_cfg.mp_cfg', value, OF_PROCESSES)
            yield from _check_processes(value or {})


def _check_processes(settings: Mapping) -> Iterator[Finding]:
    methods = get_all_start_methods()
    if settings.get('mp_start_method', methods[0]) not in methods:
        place = 'env_cfg.mp_cfg.mp_start_method'
        yield Finding(
            place, f'{place}={settings["mp_start_method"]!r}: choose among {", ".join(methods)}'
        )
    if type(settings.get('opencv_num_threads', 0)) is not int:
        place = 'env_cfg.mp_cfg.opencv_num_threads'
        yield Finding(
            place, f'{place}={settings["opencv_num_threads"]!r}: it has to be a whole number'
        )


def _unknown_keys(place: str, section: Any, known: set[str]) -> Iterator[Finding]:
    for key in section if isinstance(section, Mapping) else ():
        if key not in known:
            yield Finding(f'{place}.{key}', f'nothing reads it; {did_you_mean(key, known)}')


def _check_loader(name: str, loader: Any) -> Iterator[Finding]:
    if not isinstance(loader, Mapping):
        return
    yield from _unknown_keys(name, loader, OF_LOADER)
    for part in ('dataset', 'sampler'):
        if loader.get(part) is None and not (part == 'sampler' and loader.get('batch_sampler')):
            yield Finding(f'{name}.{part}', f'{name}.{part} is missing: give a dict with its type')
    for key in ('batch_size', 'num_workers'):
        value = loader.get(key, 1 if key == 'batch_size' else 0)
        if type(value) is not int:
            yield Finding(f'{name}.{key}', f'{name}.{key}={value!r}: it has to be a whole number')
    for key in ('drop_last', 'persistent_workers', 'pin_memory'):
        if not isinstance(loader.get(key, False), bool):
            yield Finding(
                f'{name}.{key}', f'{name}.{key}={loader[key]!r}: it has to be True or False'
            )
    for key in ('collate_fn', 'worker_init_fn'):
        value = loader.get(key)
        if value is not None and not isinstance(value, Mapping) and not callable(value):
            place = f'{name}.{key}'
            yield Finding(place, f'{valued(place, value)}: give a dict with its type')
    workers = loader.get('num_workers', 0)
    if loader.get('prefetch_factor') is not None and workers == 0:
        yield Finding(
            f'{name}.prefetch_factor', f'{name}.prefetch_factor has no effect with num_workers=0'
        )
    if loader.get('persistent_workers') is True and workers == 0:
        yield Finding(
            f'{name}.persistent_workers',
            f'{name}.persistent_workers=True needs workers: raise num_workers, or set it to False',
        )


def _misspelt_sections(cfg: Mapping) -> Iterator[Finding]:
    """Find sections called almost like one that is read, but for variables of the config file."""
    for name, value in cfg.items():
        if name in READ or not isinstance(value, Mapping | list | tuple):
            continue
        near = nearest(name, READ - {'tta_pipeline', 'tta_model'}, VERY_ALIKE)
        if near and not is_used(value, {key: one for key, one in cfg.items() if key != name}):
            yield Finding(name, f'nothing reads it; did you mean {near}?')


def is_used(value: Any, config: Any) -> bool:
    """Whether a value stands anywhere in a config, as that of a variable of its file does."""
    if isinstance(config, Mapping):
        return any(value == one or is_used(value, one) for one in config.values())
    return is_list(config) and any(value == one or is_used(value, one) for one in config)
