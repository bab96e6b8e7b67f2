"""Settings that have to fit each other, as far as that is seen before anything is built."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmproto.apis.config_check.finding import Finding, valued
from mmproto.apis.config_check.names import class_of
from mmproto.apis.config_check.parts import EVALUATORS, STAGED, Part, listed, parts_of
from mmproto.apis.config_check.stages import check_stages
from mmproto.engine.hooks import PrototypePushHook
from mmproto.engine.loop import StagedTrainLoop
from mmproto.models.heads import ProtoPNetHead


def check_fit(cfg: Mapping) -> Iterator[Finding]:
    """Check that what trains in stages fits together, and metrics the classes."""
    parts = list(parts_of(cfg))
    yield from _check_topk(cfg, parts)
    yield from _check_normalisation('data_preprocessor', cfg.get('data_preprocessor'))
    built = {part.setting: class_of(part) for part in parts}
    wrapper = cfg.get('optim_wrapper') or {}
    staged = is_staged(wrapper)
    loop = built.get('train_cfg')
    in_stages = isinstance(loop, type) and issubclass(loop, StagedTrainLoop)
    if loop is not None and staged != in_stages:
        yield Finding(
            'train_cfg.type' if staged else 'optim_wrapper.constructor',
            "train_cfg.type='StagedTrainLoop' and "
            f'optim_wrapper.constructor={STAGED!r} go together: set both, or neither',
        )
    head = built.get('model.head')
    if staged and isinstance(head, type) and not issubclass(head, ProtoPNetHead):
        yield Finding(
            'model.head.type',
            f'model.head.type={cfg["model"]["head"]["type"]!r} has no prototypes: a training in '
            "stages needs 'ProtoPNetHead' or a subclass; configs/baseline trains other heads",
        )
    elif staged and head is None and isinstance(cfg.get('model'), Mapping):
        yield Finding(
            'model.head', "model.head: a training in stages needs one, type='ProtoPNetHead'"
        )
    elif staged:
        yield from check_stages(wrapper)
        pushes = [one for one in built.values() if _is_a(one, PrototypePushHook)]
        if pushes and cfg.get('push_dataloader') is None:
            yield Finding(
                'push_dataloader',
                'push_dataloader is missing: give the training images without augmentation, in '
                'order',
            )


def is_staged(wrapper: Any) -> bool:
    """Whether an optimizer wrapper is that of a training in stages."""
    return isinstance(wrapper, Mapping) and wrapper.get('constructor') == STAGED


def _is_a(built: Any, kind: type) -> bool:
    return isinstance(built, type) and issubclass(built, kind)


def _check_normalisation(setting: str, config: Any) -> Iterator[Finding]:
    """Check that mean and std of the pixels go together, and that dividing by std can be."""
    if not isinstance(config, Mapping):
        return
    mean, std = config.get('mean'), config.get('std')
    if (mean is None) != (std is None):
        missing, there = ('mean', 'std') if mean is None else ('std', 'mean')
        yield Finding(
            f'{setting}.{missing}',
            f'{setting}.{there} needs {setting}.{missing}: set both, or neither',
        )
    elif not all(isinstance(one, int | float) and one > 0 for one in listed(std)):
        yield Finding(
            f'{setting}.std', f'{valued(f"{setting}.std", std)}: give numbers that are positive'
        )


def _check_topk(cfg: Mapping, parts: list[Part]) -> Iterator[Finding]:
    """Check that no metric looks at more classes than there are."""
    model = cfg.get('model')
    head = model.get('head') if isinstance(model, Mapping) else None
    count = head.get('num_classes') if isinstance(head, Mapping) else None
    if type(count) is not int:
        return
    for part in parts:
        if part.setting.split('.')[0] not in EVALUATORS or not isinstance(part.config, Mapping):
            continue
        topk = part.config.get('topk')
        numbers = [topk] if isinstance(topk, int) else topk
        if not isinstance(numbers, list | tuple):
            continue
        if not numbers or not all(type(k) is int and 1 <= k <= count for k in numbers):
            setting = f'{part.setting}.topk'
            yield Finding(
                setting,
                f'{valued(setting, topk)}: model.head has {count} classes, so give whole numbers '
                f'from 1 to {count}',
            )
