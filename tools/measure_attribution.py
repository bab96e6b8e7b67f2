#!/usr/bin/env python
"""Measure which attribution is right: cover what it marks, and see how far the score drops.

For some test images and the highest scores of the predicted class, the pixels that a map marks
most are covered; so are as many random pixels, and a random box of that area.
"""

import sys
from collections.abc import Sequence

# First: it says what to install where MMPretrain is missing.
from mmproto.utils.command_line import (
    checkpoint_parser,
    existing_checkpoint,
    load_config,
    one_line_errors,
)

# isort: split
import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.utils import track_iter_progress
from mmpretrain.registry import DATASETS
from torch import nn

from mmproto.apis.classifier import load_classifier
from mmproto.errors import InputError
from mmproto.evaluation.deletion_test import COVERS, deletion_test
from mmproto.explanation.attribution import (
    ATTRIBUTIONS,
    check_attribution,
    find_attribution,
    prototype_scores,
)
from mmproto.explanation.explain import own_prototypes
from mmproto.explanation.high_activation import high_activation_box
from mmproto.explanation.prototype_maps import prototype_maps

CHANCE = ('random pixels', 'random box')


def parse_args():
    parser = checkpoint_parser(__doc__)
    parser.add_argument('--images', type=int, default=60, help='test images (default 60)')
    parser.add_argument('--prototypes', type=int, default=3, help='of each image (default 3)')
    parser.add_argument(
        '--attributions',
        nargs='+',
        default=list(ATTRIBUTIONS),
        metavar='NAME',
        help=f'what is measured (default {" ".join(ATTRIBUTIONS)})',
    )
    parser.add_argument(
        '--cover',
        choices=COVERS,
        default='mean',
        help='what covers the pixels: the mean colour of the data set, or the blurred image '
        '(default mean)',
    )
    parser.add_argument(
        '--fractions',
        nargs='+',
        type=float,
        default=[0.05, 0.1, 0.2],
        metavar='FRACTION',
        help='how much of the image is covered (default 0.05 0.1 0.2)',
    )
    parser.add_argument('--draws', type=int, default=8, help='random places (default 8)')
    parser.add_argument('--seed', type=int, default=0, help='of images and places (default 0)')
    return parser.parse_args()


def check_args(args) -> None:
    """Raise an InputError for an argument that makes no sense."""
    for name in ('images', 'prototypes', 'draws'):
        if getattr(args, name) < 1:
            raise InputError(f'--{name} {getattr(args, name)}: give at least 1')
    if args.seed < 0:
        raise InputError(f'--seed {args.seed}: give at least 0')
    for fraction in args.fractions:
        if not 0 < fraction < 1:
            raise InputError(f'--fractions {fraction}: give fractions of the image between 0 and 1')
    for name in args.attributions:
        find_attribution(name)


def test_images(cfg: Config, count: int, rng: np.random.Generator) -> list[torch.Tensor]:
    """Some images (C, H, W) of the test set, as the data set gives them."""
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    chosen = rng.permutation(len(dataset))[:count].tolist()
    return [dataset[i]['inputs'] for i in chosen]


@torch.no_grad()
def measure_image(
    model: nn.Module, image: torch.Tensor, args, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Drops (k, fractions) of a normalised image, and the areas (k,) of the maps' boxes."""
    outputs = model.head.outputs(model.extract_feat(image[None]))
    own = own_prototypes(outputs, int(outputs.logits.argmax()))
    highest = sorted(own, key=lambda prototype: -outputs.scores[0, prototype])[: args.prototypes]
    found = prototype_maps(model.head, outputs, highest)
    maps = {name: find_attribution(name)(model, image, found) for name in args.attributions}
    filler = COVERS[args.cover](image)
    drops = deletion_test(
        prototype_scores(model), image, maps, highest, filler, args.fractions, args.draws, rng
    )
    return drops, {name: np.array([box_area(one) for one in each]) for name, each in maps.items()}


def box_area(activation: np.ndarray) -> float:
    """Area of a map's box, as a fraction of the image."""
    top, bottom, left, right = high_activation_box(activation)
    return (bottom - top) * (right - left) / activation.size


def table(
    drops: dict[str, np.ndarray], areas: dict[str, np.ndarray], fractions: Sequence[float]
) -> str:
    """The means in Markdown, of drops (cases, fractions) and areas (cases,)."""
    rivals = [*CHANCE, *(['upsampling'] if 'upsampling' in drops else [])]
    heads = ['attribution', 'its box', *(f'{100 * fraction:g}%' for fraction in fractions)]
    heads += [f'beats {rival}' for rival in rivals]
    rows = [heads, ['---', *['---:'] * (len(heads) - 1)]]
    for name, drop in drops.items():
        row = [name, f'{areas[name].mean():.0%}' if name in areas else '']
        row += [f'{value:.3f}' for value in drop.mean(axis=0)]
        is_chance = name in CHANCE
        row += [
            '' if is_chance or name == rival else f'{(drop > drops[rival]).mean():.0%}'
            for rival in rivals
        ]
        rows.append(row)
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def main():
    args = parse_args()
    check_args(args)
    cfg = load_config(args)
    if cfg.get('test_dataloader') is None:
        raise InputError('the config has no test_dataloader, whose images are measured: add one')
    model = load_classifier(cfg, existing_checkpoint(args.checkpoint)).to(get_device())
    if not hasattr(model.head, 'prototype_vectors'):
        raise InputError(f'model.head is a {type(model.head).__name__}: it has no prototypes')
    for name in args.attributions:
        check_attribution(name, model)
    rng = np.random.default_rng(args.seed)
    images = test_images(cfg, args.images, rng)
    measured = []
    for image in track_iter_progress(images, file=sys.stderr):
        data = model.data_preprocessor({'inputs': [image]}, training=False)
        measured.append(measure_image(model, data['inputs'][0], args, rng))
    drops, areas = (
        {name: np.concatenate([one[name] for one in each]) for name in each[0]}
        for each in zip(*measured)
    )
    cases = len(drops[CHANCE[0]])
    print(f'\n{len(images)} test images, {cases} scores, covered by: {args.cover}\n')
    print(table(drops, areas, args.fractions))


if __name__ == '__main__':
    with one_line_errors():
        main()
