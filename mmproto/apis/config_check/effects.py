"""What a config or the command line sets, and nothing makes use of."""

from collections.abc import Iterable, Iterator, Mapping

from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmproto.apis.config_check.finding import Finding, did_you_mean
from mmproto.apis.config_check.parts import STAGED
from mmproto.apis.config_check.stages import stages_that_run
from mmproto.engine.schedule import build_schedule
from mmproto.engine.stage import build_stages
from mmproto.errors import InputError


def check_runner(cfg: Mapping) -> Iterator[Finding]:
    """Find what only other runners than MMEngine's ``Runner`` read."""
    name = cfg.get('runner_type')
    runner = RUNNERS.module_dict.get(name) if isinstance(name, str) else None
    if name is not None and not (isinstance(runner, type) and issubclass(runner, Runner)):
        known = [one for one, kind in RUNNERS.module_dict.items() if issubclass(kind, Runner)]
        yield Finding(
            'runner_type',
            f'runner_type={name!r} does not train a ProtoPNet: stages and pushes stand on '
            f"MMEngine's Runner; leave it out, or name a subclass; {did_you_mean(name, known)}",
        )
    if cfg.get('strategy') is not None:
        yield Finding(
            'strategy',
            'strategy has no effect: FSDP, DeepSpeed and ColossalAI cut parameters into pieces, '
            'of which a prototype is none; remove it and train by tools/dist_train.sh',
        )


def check_options(cfg: Mapping, options: Iterable[str]) -> Iterator[Finding]:
    """Find settings of the command line that this schedule, or another setting, leaves unused."""
    wrapper = cfg.get('optim_wrapper')
    if not isinstance(wrapper, Mapping) or wrapper.get('constructor') != STAGED:
        return
    try:
        stages = build_stages(wrapper.get('stages'))
        run = stages_that_run(build_schedule(wrapper.get('schedule'), stages, True))
    except InputError:
        return  # told elsewhere
    short, solved = wrapper['schedule'], [name for name in stages if stages[name].solver]
    for option in options:
        section, *names = option.split('.')
        place, name = names[:-1], names[-1] if names else ''
        stage = (names[1:2] if names[:1] == ['stages'] else names[:1])[:1]
        of_stage = option.startswith(('optim_wrapper.stages.', 'param_scheduler.'))
        if of_stage and stage and stage[0] not in run and stage[0] in stages:
            yield Finding(
                option,
                f'{option} has no effect: optim_wrapper.schedule never runs the stage '
                f'{stage[0]!r}, but {sorted(run)}',
            )
        if section != 'optim_wrapper' or place != ['schedule'] or not isinstance(short, Mapping):
            continue
        if name in ('push_start', 'push_interval') and short.get('push_epochs') is not None:
            yield Finding(
                option,
                f'{option} has no effect: optim_wrapper.schedule.push_epochs says when prototypes '
                f'are pushed; set that, or set it to None',
            )
        if name == 'last_layer_epochs' and 'last_layer' in solved:
            yield Finding(
                option,
                f'{option} has no effect: optim_wrapper.stages.last_layer is a solver, which has '
                'no epochs',
            )
