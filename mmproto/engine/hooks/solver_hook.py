from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from mmproto.engine.first_not_finite import is_finite
from mmproto.engine.hooks.push_hook import PrototypePushHook
from mmproto.errors import InputError
from mmproto.models import unwrap_model


@HOOKS.register_module()
class SolverHook(Hook):
    """Runs the stages that are solvers: after an epoch and its push, before it is saved.

    .. code:: python

        custom_hooks = [dict(type='PrototypePushHook'), dict(type='SolverHook')]
        optim_wrapper = dict(
            schedule=[dict(stage='joint', epochs=11, push=True), dict(stage='last_layer')],
            stages=dict(joint=dict(...), last_layer=dict(solver=dict(type='MySolver'))))

    A solver is a class of MMPretrain's registry ``TASK_UTILS``, whose object is called with the
    classifier in eval mode and the push data, training images without augmentation. It changes
    the last layer and leaves everything before it as it is, so that prototypes stay patches, and
    returns the figures that are logged and drawn as ``{stage}/{name}``:

    .. code:: python

        @TASK_UTILS.register_module()
        class MySolver:
            def __call__(self, model: ProtoPNet, dataloader: DataLoader) -> dict[str, float]: ...

    On several processes it is called on each one, with that process's share of the data, and has
    to end with the same weights on all of them.

    Raises:
        InputError: If a solver gives weights that are not finite.
    """

    priority = 'BELOW_NORMAL'  # the push is NORMAL, the checkpoint VERY_LOW

    def after_train_epoch(self, runner: Runner) -> None:
        """Run the solvers that follow this epoch."""
        wrapper = runner.optim_wrapper
        for stage in wrapper.schedule.solvers_after(runner.epoch):
            model = unwrap_model(runner.model)
            model.eval()
            runner.logger.info(f'Solver {stage!r} starts.')
            figures = wrapper.solvers[stage](model, PrototypePushHook.of(runner).dataloader)
            if not is_finite(model.head.last_layer.state_dict()):
                raise InputError(
                    f'optim_wrapper.stages.{stage}.solver gives weights that are not '
                    'finite: change its settings, or leave it out of optim_wrapper.schedule'
                )
            named = ', '.join(f'{name} {value:.4g}' for name, value in figures.items())
            runner.logger.info(f'Solver {stage!r} is done{named and ": " + named}.')
            runner.visualizer.add_scalars(
                {f'{stage}/{name}': value for name, value in figures.items()},
                step=runner.epoch + 1,
            )
