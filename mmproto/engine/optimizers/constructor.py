import copy
from collections.abc import Mapping

from mmengine.optim import OptimWrapper
from mmpretrain.registry import (
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    TASK_UTILS,
)

from mmproto.engine.optimizers.param_groups import stage_param_groups, trainable_groups
from mmproto.engine.optimizers.staged_optim_wrapper import Solver, StagedOptimWrapper
from mmproto.engine.schedule import build_schedule
from mmproto.engine.solvers import SparseLastLayer
from mmproto.engine.stage import Stage, build_stages
from mmproto.errors import InputError
from mmproto.models import ProtoPNet, ProtoPNetHead, unwrap_model


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class ProtoPNetOptimWrapperConstructor:
    """Builds one optimizer for each stage of the training (section 2.2).

    .. code:: python

        optim_wrapper = dict(
            type='OptimWrapper',
            constructor='ProtoPNetOptimWrapperConstructor',
            optimizer=dict(type='Adam'),
            schedule=[
                dict(stage='warm', epochs=5),
                dict(stage='joint', epochs=6, push=True),
                dict(stage='last_layer', epochs=20, restart=True)],
            stages=dict(
                warm=dict(neck=dict(lr=3e-3, weight_decay=1e-3), prototypes=dict(lr=3e-3)),
                joint=dict(backbone=dict(lr=1e-4, weight_decay=1e-3),
                           neck=dict(lr=3e-3, weight_decay=1e-3), prototypes=dict(lr=3e-3)),
                last_layer=dict(last_layer=dict(lr=1e-4))))
        train_cfg = dict(type='StagedTrainLoop', val_interval=1)

    ``schedule`` lists the phases, see :class:`Schedule`, or gives the numbers of a
    :class:`PaperSchedule`. The names of the stages are free.

    A stage names the groups that it trains, out of 'backbone', 'neck', 'prototypes' and
    'last_layer', each with settings of the optimizer; what it does not name is frozen while it
    is on. Each stage's optimizer keeps its own moments. ``type``, ``clip_grad``,
    ``accumulative_counts`` and the like hold for every stage. Parameters that are frozen when
    training starts stay so. More that a stage can say:

    .. code:: python

        stages=dict(
            tune=dict(
                optimizer=dict(type='AdamW'),  # one of its own
                norm_eval=True,  # batch norm of what does not train stands still
                backbone=dict(lr=1e-4, frozen_layers=4, layer_decay=0.75)),
            solve=dict(solver=dict(type='MySolver')))  # instead of epochs, see SolverHook

    ``frozen_layers`` are the first layers of the backbone, which do not train; with
    ``layer_decay`` the last layer has the learning rate ``lr`` and each layer before it that of
    the next times this number. See :func:`parameter_layers`.

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
        if 'optimizer' not in cfg:
            raise InputError(
                "optim_wrapper lacks ['optimizer']: configs/_base_/schedules/protopnet.py has one"
            )
        self.schedule = cfg.pop('schedule', None)  # build_schedule answers a missing one
        self.stages = build_stages(cfg.pop('stages', None))
        self.optimizer = cfg.pop('optimizer')
        self.wrapper = cfg
        self.wrapper.setdefault('type', 'OptimWrapper')

    def __call__(self, model: ProtoPNet) -> StagedOptimWrapper:
        """Build the optimizers for a classifier, wrapped for distributed training or not."""
        model = unwrap_model(model)
        schedule = build_schedule(self.schedule, self.stages, model.head.tunes_last_layer)
        wrappers, solvers = {}, {}
        for name, stage in self.stages.items():
            if stage.solver is None:
                wrappers[name] = self._build_wrapper(name, stage, model)
            else:
                solvers[name] = self._build_solver(name, stage.solver, model.head)
        return StagedOptimWrapper(schedule, self.stages, trainable_groups(model), wrappers, solvers)

    def _build_wrapper(self, name: str, stage: Stage, model: ProtoPNet) -> OptimWrapper:
        params = stage_param_groups(name, stage, model)
        optimizer = OPTIMIZERS.build(dict(params=params, **(stage.optimizer or self.optimizer)))
        for group in optimizer.param_groups:
            group['lr'] *= group.pop('lr_scale')
        if 'prototypes' in stage.groups:
            optimizer.register_step_post_hook(lambda *_: model.head.constrain())
        return OPTIM_WRAPPERS.build(dict(optimizer=optimizer, **copy.deepcopy(self.wrapper)))

    @staticmethod
    def _build_solver(name: str, cfg: Mapping, head: ProtoPNetHead) -> Solver:
        kind = cfg.get('type')
        if isinstance(kind, str) and TASK_UTILS.get(kind) is None:
            raise InputError(
                f'optim_wrapper.stages.{name}.solver.type={kind!r} is not registered in '
                "MMPretrain's TASK_UTILS: name its module in custom_imports"
            )
        solver = TASK_UTILS.build(cfg)
        if isinstance(solver, SparseLastLayer):
            head.last_layer.check_whole(f'optim_wrapper.stages.{name}.solver')
        return solver
