"""Checks the name of a timm backbone before anything is built."""

import difflib
import re
from collections import Counter
from pathlib import Path

import timm
from mmengine.config import Config

from mmproto.errors import InputError

NEAREST = 5
ALIKE = 0.7  # 'resnet35' and 'resnet34' 1.38, names that have nothing in common below 0.6
# How torchvision, torch hub and papers shorten timm's words: ViT-B/16, swin_t, vits14.
SIZES = dict(t='tiny', s='small', b='base', l='large', h='huge', g='giant')
SIZED = re.compile(r'\b((?:\w*_)?(?:vit|deit|beit|swin))([tsblhg])(?![a-z])')
WORD = re.compile(r'v\d+|[a-z]+?(?=v\d)|[a-z]+|\d+')


def check_backbone(cfg: Config) -> None:
    """Check ``model.backbone`` of a config, if it is one of timm's.

    Its ``checkpoint_path`` is put where timm can load it from with ``features_only``.

    Raises:
        InputError: If timm does not know its name, with the nearest matches, or there is no file
            ``checkpoint_path``.
    """
    model = cfg.get('model')
    backbone = model.get('backbone') if isinstance(model, dict) else None
    if isinstance(backbone, str):
        raise InputError(
            f"model.backbone={backbone!r}: give a dict with its type, such as dict(type='"
            f"TIMMBackbone', model_name={backbone!r}); another timm model is set by "
            f'model.backbone.model_name={backbone}'
        )
    if (
        not isinstance(backbone, dict)
        or not str(backbone.get('type')).endswith('TIMMBackbone')
        or 'model_name' not in backbone
    ):
        return
    if not isinstance(backbone['model_name'], str):
        raise InputError(
            f'model.backbone.model_name={backbone["model_name"]!r}: give the name of a timm model'
        )
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
        raise InputError(
            f'model.backbone.model_name={name!r} is no model of timm; nearest: '
            f'{", ".join(nearest_names(name)) or "see timm.list_models()"}'
        )
    tags = timm.list_pretrained(f'{architecture}.*')
    if tag and name not in tags:
        tags.sort(key=lambda known: _likeness(name, known), reverse=True)
        raise InputError(
            f'model.backbone.model_name={name!r}: timm has no weights {tag!r} for '
            f'{architecture}, but {", ".join(tags) or "none"}'
        )


def nearest_names(name: str) -> list[str]:
    """Return timm's names that are most like a name, the most alike first, at most five.

    Names are compared by their words in any order, as other libraries write them, then by their
    letters: ``dinov2_vits14`` is ``vit_small_patch14_dinov2``, ``vit_b_16`` is
    ``vit_base_patch16_224``, ``resnet50_a1_in1k`` is ``resnet50.a1_in1k``.
    """
    words = sorted(_words(name))
    known = timm.list_models()
    known += [one for one in timm.list_pretrained() if sorted(_words(one)) == words]
    likeness = {one: _likeness(name, one) for one in known}
    alike = [one for one in known if likeness[one] >= ALIKE]
    return sorted(alike, key=lambda one: (-likeness[one], len(one)))[:NEAREST]


def _likeness(name: str, known: str) -> float:
    """Share of common words plus share of common letters in order, 0 to 2."""
    ours, theirs = Counter(_words(name)), Counter(_words(known))
    common = 2 * (ours & theirs).total() / max(1, ours.total() + theirs.total())
    return common + difflib.SequenceMatcher(None, name.lower(), known).ratio()


def _words(name: str) -> list[str]:
    """Split a name: 'dinov2_vits14' into dino, v2, vit, small, 14."""
    spaced = SIZED.sub(r'\1 \2', name.lower())
    return [SIZES.get(word, word) for word in WORD.findall(spaced)]
