"""Checks the name of a timm backbone before anything is built."""

import difflib
from pathlib import Path

import timm
from mmengine.config import Config

from mmproto.errors import InputError

NEAREST = 5


def check_backbone(cfg: Config) -> None:
    """Check ``model.backbone`` of a config, if it is one of timm's.

    Its ``checkpoint_path`` is put where timm can load it from with ``features_only``.

    Raises:
        InputError: If timm does not know its name, with the nearest matches, or there is no file
            ``checkpoint_path``.
    """
    backbone = (cfg.get('model') or {}).get('backbone') or {}
    if not str(backbone.get('type')).endswith('TIMMBackbone') or 'model_name' not in backbone:
        return
    check_timm_name(backbone['model_name'])
    if backbone.get('features_only') and backbone.get('checkpoint_path'):
        path = backbone.pop('checkpoint_path')
        if not Path(path).is_file():
            raise InputError(f'model.backbone.checkpoint_path={path}: there is no such file')
        # timm would load the file into the wrapper that gives the maps, whose names are others.
        backbone.update(pretrained=True, pretrained_cfg_overlay=dict(file=path))


def check_timm_name(name: str) -> None:
    """Check that timm has a model of this name, and weights of its tag.

    Raises:
        InputError: If it has not; the message lists the nearest matches.
    """
    if ':' in name:  # hf-hub: and local-dir: name models that timm looks up elsewhere
        return
    architecture, _, tag = name.partition('.')
    if not timm.is_model(architecture):
        known = timm.list_models()
        near = [model for model in known if model.startswith(architecture)]
        near += difflib.get_close_matches(architecture, known, NEAREST, cutoff=0.5)
        raise InputError(
            f'model.backbone.model_name={name!r} is no model of timm; nearest: '
            f'{", ".join(list(dict.fromkeys(near))[:NEAREST]) or "see timm.list_models()"}'
        )
    tags = timm.list_pretrained(f'{architecture}.*')
    if tag and name not in tags:
        raise InputError(
            f'model.backbone.model_name={name!r}: timm has no weights {tag!r} for '
            f'{architecture}, but {", ".join(tags) or "none"}'
        )
