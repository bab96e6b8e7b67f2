"""Where in a config classes are named: each with its registry, and what is handed to it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mmengine.registry import FUNCTIONS, Registry
from mmpretrain import registry as registries

from mmproto.models.heads import ProtoPNetHead
from mmproto.models.losses import ProtoPNetLoss

LOADERS = ('train_dataloader', 'push_dataloader', 'val_dataloader', 'test_dataloader')
EVALUATORS = ('val_evaluator', 'test_evaluator')
LOOPS = dict(train_cfg='EpochBasedTrainLoop', val_cfg='ValLoop', test_cfg='TestLoop')
# Keys of a model's config whose values are configs of modules.
PARTS = ('backbone', 'neck', 'head')
MODULES = (*PARTS, 'loss', 'similarity', 'data_preprocessor')
# Keys of a classifier and of a preprocessor under which whole batches are augmented.
AUGMENTED = ('train_cfg', 'batch_augments')
STAGED = 'ProtoPNetOptimWrapperConstructor'


class Part(NamedTuple):
    """The config of an object.

    Attributes:
        setting: Where it is in the config.
        config: The config.
        registry: Where its type is looked up.
        given: Arguments that are handed to it beside, or taken out by whoever builds it.
        default: Its type where the config names none.
        base: What its class has to be a subclass of.
    """

    setting: str
    config: Any
    registry: Registry
    given: frozenset[str] = frozenset()
    default: str | None = None
    base: type | None = None


def parts_of(cfg: Mapping) -> Iterator[Part]:
    """Find all of a config; what is None is left out."""
    yield from _modules('model', cfg.get('model'))
    yield from _modules('data_preprocessor', cfg.get('data_preprocessor'), 'ClsDataPreprocessor')
    for name in LOADERS:
        yield from _loader_parts(name, cfg.get(name))
    for name in EVALUATORS:
        yield from _evaluator_parts(name, cfg.get(name))
    yield from _hook_parts(cfg)
    for name, loop in LOOPS.items():
        if cfg.get(name) is not None:
            given = frozenset({'runner', 'dataloader', 'evaluator', 'by_epoch'})
            yield Part(name, cfg[name], registries.LOOPS, given, loop)
    yield from _optimizer_parts(cfg.get('optim_wrapper'))
    for setting, scheduler in schedulers_of(cfg.get('param_scheduler')):
        given = frozenset({'optimizer', 'convert_to_iter_based', 'epoch_length'})
        yield Part(setting, scheduler, registries.PARAM_SCHEDULERS, given)
    yield from _visualizer_parts(cfg)


def _modules(
    setting: str, config: Any, default: str | None = None, base: type | None = None
) -> Iterator[Part]:
    if config is None or isinstance(config, str):  # 'log', a similarity in short
        return
    if is_list(config):  # one after another, as the necks of an HRNet
        for number, one in enumerate(config):
            yield from _modules(f'{setting}.{number}', one)
        return
    given = frozenset({'module'}) if setting == 'tta_model' else frozenset()
    yield Part(setting, config, registries.MODELS, given, default, base)
    if not isinstance(config, Mapping):
        return
    inits = config.get('init_cfg')
    for number, one in enumerate([inits] if isinstance(inits, Mapping) else listed(inits)):
        place = f'{setting}.init_cfg.{number}' if is_list(inits) else f'{setting}.init_cfg'
        yield Part(place, one, registries.WEIGHT_INITIALIZERS, frozenset({'override'}))
    for name in AUGMENTED:
        yield from _batch_augments(f'{setting}.{name}.augments', config.get(name))
    for name in MODULES:
        value = config.get(name)
        short = 'ClsDataPreprocessor' if name == 'data_preprocessor' else None
        is_part = name in PARTS or short or (isinstance(value, Mapping) and 'type' in value)
        if is_part and value is not None:
            base = ProtoPNetLoss if name == 'loss' and _is_our_head(config) else None
            yield from _modules(f'{setting}.{name}', value, short, base)


def _batch_augments(setting: str, config: Any) -> Iterator[Part]:
    augments = config.get('augments') if isinstance(config, Mapping) else None
    for number, one in enumerate(listed(augments)):
        yield Part(f'{setting}.{number}', one, registries.BATCH_AUGMENTS)
    if augments is not None and not is_list(augments):
        yield Part(setting, augments, registries.BATCH_AUGMENTS)


def _is_our_head(config: Mapping) -> bool:
    name = config.get('type')
    built = registries.MODELS.get(name) if isinstance(name, str) and '.' not in name else name
    return isinstance(built, type) and issubclass(built, ProtoPNetHead)


def _loader_parts(setting: str, loader: Any) -> Iterator[Part]:
    if not isinstance(loader, Mapping):
        return
    if loader.get('dataset') is not None:
        yield from _dataset_parts(f'{setting}.dataset', loader['dataset'])
    samplers = dict(sampler={'dataset', 'seed'}, batch_sampler={'sampler', 'batch_size'})
    for name, given in samplers.items():
        if loader.get(name) is not None:
            config, place = loader[name], f'{setting}.{name}'
            yield Part(place, config, registries.DATA_SAMPLERS, frozenset(given))
    if isinstance(loader.get('collate_fn'), Mapping):
        given = {'data_batch'}
        place = f'{setting}.collate_fn'
        yield Part(place, loader['collate_fn'], FUNCTIONS, frozenset(given))


def _dataset_parts(setting: str, dataset: Any) -> Iterator[Part]:
    yield Part(setting, dataset, registries.DATASETS)
    if not isinstance(dataset, Mapping):
        return
    if dataset.get('dataset') is not None:
        yield from _dataset_parts(f'{setting}.dataset', dataset['dataset'])
    if is_list(dataset.get('datasets')):
        for number, one in enumerate(dataset['datasets']):
            yield from _dataset_parts(f'{setting}.datasets.{number}', one)
    yield from _transforms(f'{setting}.pipeline', dataset.get('pipeline'))


def _transforms(setting: str, pipeline: Any) -> Iterator[Part]:
    """Find the transforms of a pipeline, and those of lists in lists, as ``RandomChoice`` has."""
    if is_list(pipeline):
        for number, step in enumerate(pipeline):
            yield from _transforms(f'{setting}.{number}', step)
    elif isinstance(pipeline, Mapping):
        yield Part(setting, pipeline, registries.TRANSFORMS)
        yield from _transforms(f'{setting}.transforms', pipeline.get('transforms'))
    elif pipeline is not None and not callable(pipeline):
        yield Part(setting, pipeline, registries.TRANSFORMS)


def _evaluator_parts(setting: str, evaluator: Any) -> Iterator[Part]:
    if isinstance(evaluator, Mapping) and 'metrics' in evaluator:
        yield Part(setting, evaluator, registries.EVALUATOR, default='Evaluator')
        yield from _evaluator_parts(f'{setting}.metrics', evaluator['metrics'])
    elif is_list(evaluator):
        for number, metric in enumerate(evaluator):
            yield Part(f'{setting}.{number}', metric, registries.METRICS)
    elif evaluator is not None:
        yield Part(setting, evaluator, registries.METRICS)


def _hook_parts(cfg: Mapping) -> Iterator[Part]:
    default, custom = cfg.get('default_hooks'), cfg.get('custom_hooks')
    hooks = dict(default) if isinstance(default, Mapping) else {}
    for name, hook in hooks.items():
        if hook is not None:
            yield Part(f'default_hooks.{name}', hook, registries.HOOKS, frozenset({'priority'}))
    for number, hook in enumerate(listed(custom)):
        yield Part(f'custom_hooks.{number}', hook, registries.HOOKS, frozenset({'priority'}))


def _optimizer_parts(wrapper: Any) -> Iterator[Part]:
    if not isinstance(wrapper, Mapping):
        return
    taken = {'optimizer', 'constructor', 'paramwise_cfg'}
    if 'constructor' in wrapper and wrapper['constructor'] != STAGED:
        taken |= {*wrapper}  # the constructor may take anything for itself
    if wrapper.get('constructor') == STAGED:
        taken |= {'schedule', 'stages'}
    place = 'optim_wrapper'
    if 'optimizer' in wrapper:
        yield Part(place, wrapper, registries.OPTIM_WRAPPERS, frozenset(taken), 'OptimWrapper')
        optimizer = wrapper['optimizer']
        yield Part(f'{place}.optimizer', optimizer, registries.OPTIMIZERS, frozenset({'params'}))
    if not isinstance(wrapper.get('stages'), Mapping):
        return
    for name, stage in wrapper['stages'].items():
        if not isinstance(stage, Mapping):
            continue
        setting = f'{place}.stages.{name}'
        if stage.get('optimizer') is not None:
            optimizer, given = stage['optimizer'], frozenset({'params'})
            yield Part(f'{setting}.optimizer', optimizer, registries.OPTIMIZERS, given)
        if stage.get('solver') is not None:
            yield Part(f'{setting}.solver', stage['solver'], registries.TASK_UTILS)


def schedulers_of(config: Any, setting: str = 'param_scheduler') -> Iterator[tuple[str, Any]]:
    """Find the parameter schedulers, those of all stages or of each: setting and config."""
    if is_list(config):
        for number, one in enumerate(config):
            yield f'{setting}.{number}', one
    elif isinstance(config, Mapping) and 'type' in config:
        yield setting, config
    elif isinstance(config, Mapping):
        for stage, one in config.items():
            yield from schedulers_of(one, f'{setting}.{stage}')


def _visualizer_parts(cfg: Mapping) -> Iterator[Part]:
    visualizer = cfg.get('visualizer')
    if visualizer is not None:
        given = frozenset({'name', 'save_dir'})
        yield Part('visualizer', visualizer, registries.VISUALIZERS, given)
    backends = visualizer.get('vis_backends') if isinstance(visualizer, Mapping) else None
    for number, backend in enumerate(listed(backends)):
        place, given = f'visualizer.vis_backends.{number}', frozenset({'save_dir'})
        yield Part(place, backend, registries.VISBACKENDS, given)
    if cfg.get('log_processor') is not None:
        processor = cfg['log_processor']
        yield Part('log_processor', processor, registries.LOG_PROCESSORS, default='LogProcessor')
    yield from _modules('tta_model', cfg.get('tta_model'))
    yield from _transforms('tta_pipeline', cfg.get('tta_pipeline'))


def listed(value: Any) -> Sequence:
    """Return a setting that is a list, an empty one for any other."""
    return value if is_list(value) else ()


def is_list(value: Any) -> bool:
    """Whether a setting is a list, and no text."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
