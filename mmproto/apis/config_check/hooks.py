"""Settings that any hook takes, or that a hook reads only when an epoch is over."""

from collections.abc import Iterator, Mapping

from mmengine.runner import Priority
from mmpretrain.registry import HOOKS

from mmproto.apis.config_check.finding import Finding, valued
from mmproto.apis.config_check.parts import Part

LOGGED = ('runtime_info', 'timer')
PRIORITIES = [*Priority.__members__]


def check_hook(part: Part) -> Iterator[Finding]:
    """Check when a hook is called, and what the files of a checkpoint hook are called."""
    if part.registry is not HOOKS or not isinstance(part.config, Mapping):
        return
    priority = part.config.get('priority', 'NORMAL')
    known = priority.upper() in PRIORITIES if isinstance(priority, str) else False
    if not known and not (type(priority) is int and 0 <= priority <= 100):
        setting = f'{part.setting}.priority'
        yield Finding(
            setting,
            f'{valued(setting, priority)}: choose among {", ".join(PRIORITIES)}, or give a whole '
            'number from 0 to 100',
        )
    template = part.config.get('filename_tmpl')
    if isinstance(template, str) and not _tells_epochs_apart(template):
        setting = f'{part.setting}.filename_tmpl'
        yield Finding(
            setting,
            f'{valued(setting, template)}: put {{}} where the number of the epoch is to be, such '
            "as 'epoch_{}.pth'",
        )


def check_logged_hooks(cfg: Mapping) -> Iterator[Finding]:
    """Check that no hook is left out whose figures the log shows."""
    hooks = cfg.get('default_hooks')
    if not isinstance(hooks, Mapping) or (hooks.get('logger', {}) is None):
        return
    for name in LOGGED:
        if hooks.get(name, {}) is None:
            setting = f'default_hooks.{name}'
            yield Finding(
                setting,
                f'{setting}=None: default_hooks.logger shows its figures; leave it in, or set '
                'default_hooks.logger=None too',
            )


def _tells_epochs_apart(template: str) -> bool:
    try:
        return template.format(1) != template.format(2)
    except (IndexError, KeyError, ValueError):
        return False
