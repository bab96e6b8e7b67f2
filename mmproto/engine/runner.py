from logging import FileHandler, Filter, LogRecord
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import nn

from mmproto.utils.freed_memory import keep_freed_memory

# How the messages begin that fill hundreds of lines before anything happens.
LISTINGS = ('System environment:', 'Config:', 'Hooks will be executed')


class QuietRunner(Runner):
    """MMEngine's, whose environment, config and list of hooks go to the log file alone."""

    def dump_config(self) -> None:
        """Write the config to the work dir, but not over one: only a training does that."""
        name = self.cfg.filename
        if name is None or not (Path(self.work_dir) / Path(name).name).exists():
            super().dump_config()

    def train(self) -> nn.Module:
        """Write the config, which is that of the checkpoints to come, and train."""
        super().dump_config()
        return super().train()

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger, and say where that is to be found."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if isinstance(handler, FileHandler):
                logger.info(f'Environment, config and hooks are in {handler.baseFilename}')
            else:
                handler.addFilter(_NoListing())
        return logger


class _NoListing(Filter):
    def filter(self, record: LogRecord) -> bool:
        return not record.getMessage().lstrip('\n-').startswith(LISTINGS)


def build_runner(cfg: Config) -> Runner:
    """Build a config's runner: its ``runner_type``, a :class:`QuietRunner` if it names none."""
    keep_freed_memory()
    return RUNNERS.build(cfg) if 'runner_type' in cfg else QuietRunner.from_cfg(cfg)
