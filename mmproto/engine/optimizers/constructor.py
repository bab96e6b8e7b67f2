import copy
from collections.abc import Mapping

from mmengine.optim import OptimWrapper
from mmpretrain.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS
from torch import nn

from mmproto.engine.optimizers.staged_optim_wrapper import StagedOptimWrapper
from mmproto.engine.schedule import STAGES, build_schedule
from mmproto.errors import InputError
from mmproto.models import unwrap_model

GROUPS = ('backbone', 'neck', 'prototypes', 'last_layer')


def group_of(name: str) -> str:
    """The group of a classifier's parameter."""
    if name.startswith('head.'):
        return 'last_layer' if name.startswith('head.last_layer.') else 'prototypes'
    return name.split('.')[0]


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class ProtoPNetOptimWrapperConstructor:
    """Builds one optimizer for each stage of the training (section 2.2).

    .. code:: python

        optim_wrapper = dict(
            type='OptimWrapper',
            constructor='ProtoPNetOptimWrapperConstructor',
            optimizer=dict(type='Adam'),
            schedule=dict(warm_epochs=5, epochs=31, push_start=10, push_interval=10,
                          last_layer_epochs=20),
            stages=dict(
                warm=dict(neck=dict(lr=3e-3, weight_decay=1e-3), prototypes=dict(lr=3e-3)),
                joint=dict(backbone=dict(lr=1e-4, weight_decay=1e-3),
                           neck=dict(lr=3e-3, weight_decay=1e-3), prototypes=dict(lr=3e-3)),
                last_layer=dict(last_layer=dict(lr=1e-4))))
        train_cfg = dict(type='StagedTrainLoop', val_interval=1)

    A stage names the groups that it trains, out of 'backbone', 'neck', 'prototypes' and
    'last_layer', each with settings of the optimizer; what it does not name is frozen while it
    is on. Each stage's optimizer keeps its own moments. ``type``, ``clip_grad``,
    ``accumulative_counts`` and the like hold for every stage. Parameters that are frozen when
    training starts stay so.

    Args:
        optim_wrapper_cfg: The config above.
        paramwise_cfg: Not taken; the stages say what it would.

    Raises:
        InputError: If a stage or a group is unknown or has nothing to train.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        if paramwise_cfg is not None:
            raise InputError(
                'optim_wrapper.paramwise_cfg is not taken by ProtoPNetOptimWrapperConstructor: '
                'give each group its settings in optim_wrapper.stages'
            )
        cfg = copy.deepcopy(optim_wrapper_cfg)
        missing = sorted({'optimizer', 'stages'} - set(cfg))
        if missing:
            raise InputError(
                f'optim_wrapper lacks {missing}: configs/_base_/schedules/protopnet.py has them'
            )
        self.schedule = cfg.pop('schedule', None)  # build_schedule answers a missing one
        self.stages = cfg.pop('stages')
        self.optimizer = cfg.pop('optimizer')
        self.wrapper = cfg
        self.wrapper.setdefault('type', 'OptimWrapper')

    def __call__(self, model: nn.Module) -> StagedOptimWrapper:
        """Build the optimizers for a classifier, wrapped for distributed training or not."""
        model = unwrap_model(model)
        schedule = build_schedule(self.schedule, model.head.tunes_last_layer)
        self._check_stages(schedule.stages)
        groups: dict[str, list[nn.Parameter]] = {name: [] for name in GROUPS}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                groups[group_of(name)].append(parameter)
        wrappers = {
            stage: self._build_wrapper(stage, self.stages[stage], groups)
            for stage in STAGES
            if stage in self.stages
        }
        return StagedOptimWrapper(schedule, groups, wrappers)

    def _check_stages(self, needed: tuple[str, ...]) -> None:
        unknown = sorted(set(self.stages) - set(STAGES))
        if unknown:
            raise InputError(f'optim_wrapper.stages has {unknown}: the stages are {STAGES}')
        missing = sorted(set(needed) - set(self.stages))
        if missing:
            raise InputError(
                f'optim_wrapper.stages lacks {missing}, which optim_wrapper.schedule runs: '
                'say what they train, or set their number of epochs to 0'
            )
        for stage, groups in self.stages.items():
            unknown = sorted(set(groups) - set(GROUPS))
            if unknown:
                raise InputError(
                    f'optim_wrapper.stages.{stage} has {unknown}: the groups are {GROUPS}'
                )

    def _build_wrapper(
        self, stage: str, settings: Mapping, groups: dict[str, list[nn.Parameter]]
    ) -> OptimWrapper:
        params = [
            dict(params=groups[name], name=name, **options)
            for name, options in settings.items()
            if groups[name]
        ]
        if not params:
            raise InputError(
                f'optim_wrapper.stages.{stage} has nothing to train: name a group that has '
                'parameters and is not frozen'
            )
        optimizer = OPTIMIZERS.build(dict(params=params, **self.optimizer))
        return OPTIM_WRAPPERS.build(dict(optimizer=optimizer, **copy.deepcopy(self.wrapper)))
