"""What a stage of the training trains, and how: ``optim_wrapper.stages``."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mmproto.errors import InputError

GROUPS = ('backbone', 'neck', 'prototypes', 'last_layer')
SETTINGS = ('optimizer', 'norm_eval', 'solver')
LAYER_SETTINGS = ('frozen_layers', 'layer_decay')


@dataclass(frozen=True)
class Stage:
    """A stage trains some groups of parameters by epochs, or is a solver.

    Attributes:
        groups: Settings of the optimizer for every group that trains, by the group's name. That
            of the backbone may have ``frozen_layers`` and ``layer_decay``.
        optimizer: Config of an optimizer of its own; the common one if None.
        norm_eval: Whether batch norm stands still, that of layers which train as well: small
            batches of images unlike those of the pretraining destroy its statistics. None for
            where neither backbone nor neck trains: statistics that go on moving would carry the
            patches away from the prototypes. False everywhere is what the reference does.
        solver: Config of a solver, which takes the place of epochs.
    """

    groups: Mapping[str, Mapping] = field(default_factory=dict)
    optimizer: Mapping | None = None
    norm_eval: bool | None = None
    solver: Mapping | None = None

    @property
    def stops_norms(self) -> bool:
        """Whether batch norm stands still, with the default worked out."""
        if self.norm_eval is None:
            return not {'backbone', 'neck'} & set(self.groups)
        return self.norm_eval

    @property
    def keeps_patches(self) -> bool:
        """Whether prototypes that are training patches stay so, with any network."""
        return set(self.groups) <= {'last_layer'} and (not self.groups or self.stops_norms)


def build_stages(settings: Mapping[str, Mapping] | None) -> dict[str, Stage]:
    """Read ``optim_wrapper.stages``: each stage by its name.

    Raises:
        InputError: If it is missing, or a stage has settings that it does not take.
    """
    if settings is None:
        raise InputError(
            "optim_wrapper lacks ['stages']: configs/_base_/schedules/protopnet.py has them"
        )
    if not isinstance(settings, Mapping):
        raise InputError(
            f'optim_wrapper.stages={settings!r}: give a dict of stages, such as '
            'dict(joint=dict(prototypes=dict(lr=3e-3)))'
        )
    return {name: _build_stage(name, stage) for name, stage in settings.items()}


def _build_stage(name: str, settings: Mapping) -> Stage:
    if not isinstance(settings, Mapping):
        raise InputError(
            f'optim_wrapper.stages.{name}={settings!r}: say what it trains, such as '
            'dict(prototypes=dict(lr=3e-3))'
        )
    unknown = sorted(set(settings) - {*GROUPS, *SETTINGS})
    if unknown:
        raise InputError(
            f'optim_wrapper.stages.{name} has {unknown}: a stage takes the groups {GROUPS} and '
            f'{SETTINGS}'
        )
    if 'solver' in settings and len(settings) > 1:
        raise InputError(
            f'optim_wrapper.stages.{name} is a solver and has {sorted({*settings} - {"solver"})} '
            'as well: add _delete_=True to it, so that it takes the place of what a base config '
            'trains'
        )
    norm_eval = settings.get('norm_eval')
    if norm_eval not in (None, True, False):
        raise InputError(
            f'optim_wrapper.stages.{name}.norm_eval={norm_eval!r}: it has to be True or False'
        )
    groups = {group: settings[group] for group in GROUPS if group in settings}
    for group, options in groups.items():
        if not isinstance(options, Mapping):
            raise InputError(
                f'optim_wrapper.stages.{name}.{group}={options!r}: give settings of the '
                'optimizer, such as dict(lr=1e-4)'
            )
        misplaced = sorted({*LAYER_SETTINGS} & {*options})
        if group != 'backbone' and misplaced:
            raise InputError(
                f'optim_wrapper.stages.{name}.{group} has {misplaced}: only the backbone has layers'
            )
    return Stage(groups, **{key: settings[key] for key in SETTINGS if key in settings})
