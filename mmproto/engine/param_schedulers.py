"""Which parameter schedulers a stage has, and for how long."""

from collections.abc import Iterable, Mapping, Sequence

from mmproto.errors import InputError


def by_stage(
    config: Mapping | Sequence[Mapping], stages: Iterable[str]
) -> dict[str, list[Mapping]]:
    """Return the configs of every stage's schedulers, out of ``param_scheduler``.

    Args:
        config: Schedulers by the name of the stage, or those of every stage.
        stages: Names of the stages.

    Raises:
        InputError: If it names a stage that there is not.
    """
    if not isinstance(config, Mapping) or 'type' in config:
        config = dict.fromkeys(stages, config)
    unknown = sorted(set(config) - set(stages))
    if unknown:
        raise InputError(
            f'param_scheduler has {unknown}: the stages of optim_wrapper are {sorted(stages)}'
        )
    lists = {stage: config.get(stage, []) for stage in stages}
    return {stage: [one] if isinstance(one, Mapping) else [*one] for stage, one in lists.items()}


def ending(configs: Sequence[Mapping], stage: str, epochs: int, iterations: int) -> list[dict]:
    """Schedulers that end, if they do not say when, with the epochs that they run for.

    Args:
        configs: The schedulers' configs.
        stage: Name of their stage.
        epochs: Epochs of the stage up to its end, or to its next restart.
        iterations: Iterations of an epoch.

    Raises:
        InputError: If a scheduler begins when it is over.
    """
    ended = []
    for config in configs:
        end = epochs if config.get('by_epoch', True) else epochs * iterations
        if 'end' not in config and config.get('begin', 0) >= end:
            raise InputError(
                f'param_scheduler.{stage} has a {config["type"]} with begin={config["begin"]}, '
                f'when the {epochs} epochs of the stage are over: lower it, or raise the epochs'
            )
        ended.append({'end': end, **config})
    return ended
