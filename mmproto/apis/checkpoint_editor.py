"""Opens a checkpoint with the data of its config, to change the model and save it anew."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import save_checkpoint
from mmengine.runner.checkpoint import weights_to_cpu
from mmpretrain.registry import TASK_UTILS
from torch.utils.data import DataLoader

from mmproto.apis.classifier import check_own_classes, own_checkpoint, without_pretrained
from mmproto.engine.push_dataloader import build_push_dataloader
from mmproto.engine.runner import build_runner
from mmproto.engine.validation import validate
from mmproto.models import ProtoPNet, unwrap_model
from mmproto.utils.files import whole_file

SOLVER = dict(type='SparseLastLayer')


class CheckpointEditor:
    """A classifier with a checkpoint's weights, and the data that its config names.

    .. code:: python

        editor = CheckpointEditor(cfg, 'epoch_91.pth')
        editor.model.head.prune(keep)
        editor.solve_last_layer()
        editor.save(Path('pruned.pth'))

    On several processes each has the model and its share of the data.

    Args:
        cfg: The config of a ProtoPNet.
        checkpoint: Its checkpoint, a file or an address.

    Attributes:
        model: The classifier, in eval mode.
        meta: What the checkpoint says of its training.
        runner: The runner that built it, for its logger and validation set.

    Raises:
        InputError: If the checkpoint is not of this network.
    """

    def __init__(self, cfg: Config, checkpoint: str) -> None:
        without_pretrained(cfg)
        self.runner = build_runner(cfg)
        with own_checkpoint(cfg, checkpoint):
            loaded = self.runner.load_checkpoint(checkpoint, strict=True)
        self.meta: dict[str, Any] = loaded.get('meta', {})
        self.model: ProtoPNet = unwrap_model(self.runner.model)
        self.model.eval()

    @property
    def class_names(self) -> list[str]:
        """Names of the classes that the model was trained on, or their numbers."""
        count = self.model.head.num_classes
        named = (self.meta.get('dataset_meta') or {}).get('classes') or ()
        return list(map(str, named if len(named) == count else range(count)))

    @cached_property
    def push_dataloader(self) -> DataLoader:
        """The training images without augmentation, see :func:`build_push_dataloader`."""
        dataloader = build_push_dataloader(self.runner)
        self._check_classes('push_dataloader', dataloader.dataset)
        return dataloader

    def validate(self) -> dict[str, float]:
        """Metrics of the config's validation set; empty without one."""
        if self.runner.val_loop is not None:
            self._check_classes('val_dataloader', self.runner.val_dataloader.dataset)
        return validate(self.runner)

    def solve_last_layer(self) -> dict[str, float]:
        """Solve the last layer's problem on the push set, by the solver that the config names.

        That is the first one in ``optim_wrapper.stages``, else :class:`SparseLastLayer` with its
        defaults.

        Returns:
            The figures that the solver gives.
        """
        solver = TASK_UTILS.build(solver_config(self.runner.cfg))
        return solver(self.model, self.push_dataloader)

    def _check_classes(self, setting: str, dataset: Any) -> None:
        """Raise an InputError for data with other classes than the checkpoint."""
        check_own_classes(self.meta, self.model.head.num_classes, setting, dataset)

    def save(self, out: Path) -> None:
        """Save the model, whole or not at all."""
        if is_main_process():
            state = weights_to_cpu(self.model.state_dict())
            with whole_file(out) as file:
                save_checkpoint(dict(meta=self.meta, state_dict=state), str(file))
            self.runner.logger.info(f'Saved {out}.')


def solver_config(cfg: Config) -> Mapping:
    """Return the config of the last layer's solver."""
    stages = (cfg.get('optim_wrapper') or {}).get('stages') or {}
    return next((stage['solver'] for stage in stages.values() if 'solver' in stage), SOLVER)
