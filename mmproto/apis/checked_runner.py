"""A training from Python goes the way of the command line."""

from collections.abc import Iterable

from mmengine.config import Config
from mmengine.runner import Runner

from mmproto.apis.config_check.checks import require_sound
from mmproto.engine.runner import build_runner


def checked_runner(
    cfg: Config, options: Iterable[str] = (), misspelt: Iterable[str] = ()
) -> Runner:
    """Check a config as ``tools/check.py`` does, and build the runner that trains it.

    .. code:: python

        cfg = load_config('configs/protopnet/resnet34_folder.py', data_root='data/birds')
        checked_runner(cfg).train()

    MMEngine's own ``Runner.from_cfg`` takes the config as well, unchecked, and loads what fits of
    a checkpoint, be it nothing.

    Args:
        cfg: The config, as of :func:`mmproto.apis.load_config`.
        options: Names of settings that the command line has set.
        misspelt: Lines on misspelt ones, which are told with what else is wrong.

    Raises:
        InputListError: If anything is wrong, a line for each finding.
    """
    require_sound(cfg, options, misspelt=misspelt)
    return build_runner(cfg)
