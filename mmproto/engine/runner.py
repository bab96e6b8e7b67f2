from logging import FileHandler, Filter, LogRecord
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import master_only
from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS
from mmengine.runner import BaseLoop, Runner
from mmengine.visualization import Visualizer
from torch import nn

from mmproto.engine.compiled_backbone import compile_backbone, leave_uncompiled
from mmproto.engine.lenient_writers import LenientBackend, keep_logging
from mmproto.engine.roll_call import roll_call
from mmproto.engine.training_state import (
    build_optimizers,
    check_has_state,
    check_training_state,
    settings,
)
from mmproto.errors import InputError
from mmproto.models import unwrap_model
from mmproto.models.backbones.pretrained_files import check_pretrained, timm_weights
from mmproto.models.loaded_weights import check_loaded, some
from mmproto.utils.files import make_writable, whole_file
from mmproto.utils.freed_memory import keep_freed_memory

# How the messages begin that fill hundreds of lines before anything happens.
LISTINGS = ('System environment:', 'Config:', 'Hooks will be executed')


class QuietRunner(Runner):
    """MMEngine's, whose environment, config and list of hooks go to the log file alone.

    What it loads has to be of its model, and what it goes on from the state of its training.
    """

    @master_only
    def dump_config(self) -> None:
        """Write the config to the work dir, but not over one: only a training does that."""
        if not self._config_file.exists():
            self._write_config()

    def train(self) -> nn.Module:
        """Train; a process that the others wait for in vain is named."""
        with roll_call(self):
            try:
                return super().train()
            finally:
                if self.cfg.get('compile'):
                    leave_uncompiled(unwrap_model(self.model).backbone)

    def _maybe_compile(self, target: str) -> None:
        """Compile the backbone alone, where the config's ``compile`` asks for that."""
        options = self.cfg.get('compile')
        if options not in (None, False):
            compile_backbone(unwrap_model(self.model).backbone, options)
            self.logger.info('The backbone is compiled: the first steps of each stage take longer.')

    def load_or_resume(self) -> None:
        """Load what the config says; a training's config is then that of its checkpoints.

        Raises:
            InputError: If files that it names for parts of the model, or as a whole, do not fit.
        """
        if not (self._has_loaded or self._resume):
            for line in check_pretrained(unwrap_model(self.model), self.cfg.get('model')):
                self.logger.warning(f'{line}.')
        super().load_or_resume()
        if isinstance(self._train_loop, BaseLoop):
            self._write_config()

    def _init_model_weights(self) -> None:
        """Initialise the weights.

        Raises:
            InputError: If an ``init_cfg`` of the model cannot be followed.
        """
        try:
            super()._init_model_weights()
        except (InputError, OSError):
            raise
        except Exception as error:  # whatever the initialisers make of their settings
            raise InputError(
                f'model.init_cfg, or that of a part of the model, does not work: {_words(error)}'
            ) from error

    @property
    def _config_file(self) -> Path:
        return Path(self.work_dir) / Path(self.cfg.filename or f'{self.timestamp}.py').name

    @master_only
    def _write_config(self) -> None:
        with whole_file(self._config_file) as file:
            self.cfg.dump(file)

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build the model; a file of weights for its backbone is read first."""
        with timm_weights(model):
            return super().build_model(model)

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> dict:
        """Load weights, and say how many there were, unless they were all.

        Raises:
            InputError: If there were none, or not all to go on with, or a training is to go on
                without the state of its optimizers.
        """
        checkpoint = super().load_checkpoint(filename, *args, **kwargs)
        if self._resume:
            check_has_state(checkpoint, filename, self.param_schedulers is not None)
        missing = check_loaded(self.model, checkpoint, filename)
        if missing:
            count = len([*self.model.parameters()])
            fit = f'{count - len(missing)} of {count} weights of the model are in {filename}'
            if self._resume:
                raise InputError(
                    f'resume: only {fit}: go on with the config that it was trained with, or set '
                    'load_from to it to start anew'
                )
            self.logger.warning(f'{fit}; these start fresh: {some(missing)}.')
        return checkpoint

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Go on from a checkpoint.

        Raises:
            InputError: If that is none of a training, or not of this one.
        """
        build_optimizers(self)
        before = settings(self)
        try:
            super().resume(filename, *args, **kwargs)
            check_training_state(self, before)
        except Exception as error:  # whatever MMEngine and torch make of an odd one
            if isinstance(error, InputError) and str(error).startswith(('resume', filename)):
                raise
            raise InputError(
                f'resume: no training goes on from {filename} ({_words(error)}): give a checkpoint '
                'that this training has saved, or set load_from to it to start anew'
            ) from error

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger, and say where that is to be found."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if isinstance(handler, FileHandler):
                keep_logging(handler)
                logger.info(f'Environment, config and hooks are in {handler.baseFilename}')
            else:
                handler.addFilter(_NoListing())
        return logger

    def build_visualizer(self, *args: Any, **kwargs: Any) -> Visualizer:
        """Build the visualizer; what its back ends cannot write does not end a training."""
        visualizer = super().build_visualizer(*args, **kwargs)
        backends = visualizer._vis_backends
        backends.update({name: LenientBackend(name, one) for name, one in backends.items()})
        return visualizer


def _words(error: Exception) -> str:
    lines = str(error).strip().splitlines() or ['']
    named = lines[0] if isinstance(error, InputError) else f'{type(error).__name__}: {lines[0]}'
    return named[:200]


class _NoListing(Filter):
    def filter(self, record: LogRecord) -> bool:
        return not record.getMessage().lstrip('\n-').startswith(LISTINGS)


def build_runner(cfg: Config) -> Runner:
    """Build a config's runner: its ``runner_type``, a :class:`QuietRunner` if it names none."""
    make_writable(Path(cfg.work_dir))
    keep_freed_memory()
    return RUNNERS.build(cfg) if 'runner_type' in cfg else QuietRunner.from_cfg(cfg)
