#!/usr/bin/env python
"""Measure which attribution is right: cover what it marks, and see how far the score falls.

For some test images and the highest scores of the predicted class, the pixels that a map marks
most are covered; so are as many random pixels, and a random box of that area.
"""

import sys
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.utils import track_iter_progress
from mmpretrain.registry import DATASETS
from torch import nn

from mmproto.apis.classifier import load_classifier
from mmproto.errors import InputError
from mmproto.evaluation.deletion_test import COVERS, measure
from mmproto.explanation.attribution import (
    ATTRIBUTIONS,
    check_attribution,
    find_attribution,
    prototype_scores,
)
from mmproto.explanation.explanation import own_prototypes, similarity_maps
from mmproto.explanation.high_activation import high_activation_box
from mmproto.utils.command_line import (
    config_parser,
    existing_checkpoint,
    load_config,
    one_line_errors,
)

CHANCE = ('random pixels', 'random box')


def parse_args():
    parser = config_parser(__doc__)
    parser.add_argument('checkpoint', help='checkpoint file')
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
        help='what covers the pixels: the mean colour of the data set, or the blurred picture '
        '(default mean)',
    )
    parser.add_argument(
        '--shares',
        nargs='+',
        type=float,
        default=[0.05, 0.1, 0.2],
        metavar='SHARE',
        help='how much of the picture is covered (default 0.05 0.1 0.2)',
    )
    parser.add_argument('--draws', type=int, default=8, help='random places (default 8)')
    parser.add_argument('--seed', type=int, default=0, help='of images and places (default 0)')
    return parser.parse_args()


def check_args(args) -> None:
    """Raise an InputError for an argument that makes no sense."""
    for name in ('images', 'prototypes', 'draws'):
        if getattr(args, name) < 1:
            raise InputError(f'--{name} {getattr(args, name)}: give at least 1')
    for share in args.shares:
        if not 0 < share < 1:
            raise InputError(f'--shares {share}: give shares of the picture between 0 and 1')
    for name in args.attributions:
        find_attribution(name)


def test_pictures(cfg: Config, count: int, rng: np.random.Generator) -> list[torch.Tensor]:
    """Some pictures (C, H, W) of the test set, as the data set gives them."""
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    chosen = rng.permutation(len(dataset))[:count].tolist()
    return [dataset[i]['inputs'] for i in chosen]


@torch.no_grad()
def measure_picture(
    model: nn.Module, picture: torch.Tensor, args, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Falls (k, shares) of a normalised picture, and the areas (k,) of the maps' boxes."""
    features = model.extract_feat(picture[None])
    scores = model.head.pre_logits(features)[0]
    own = own_prototypes(model.head, scores, int(model.head.logits(scores[None]).argmax()))
    highest = own[scores[own].argsort(descending=True, stable=True)][: args.prototypes].tolist()
    similarity = similarity_maps(model.head, features[-1][0], highest).cpu().numpy()
    maps = {
        name: find_attribution(name)(model, picture, similarity, highest)
        for name in args.attributions
    }
    filler = COVERS[args.cover](picture)
    falls = measure(
        prototype_scores(model), picture, maps, highest, filler, args.shares, args.draws, rng
    )
    return falls, {name: np.array([box_area(one) for one in each]) for name, each in maps.items()}


def box_area(activation: np.ndarray) -> float:
    """Area of a map's box, as a share of the picture."""
    top, bottom, left, right = high_activation_box(activation)
    return (bottom - top) * (right - left) / activation.size


def table(
    falls: dict[str, np.ndarray], areas: dict[str, np.ndarray], shares: Sequence[float]
) -> str:
    """The means in Markdown, of falls (cases, shares) and areas (cases,)."""
    rivals = [*CHANCE, *(['upsampling'] if 'upsampling' in falls else [])]
    heads = ['attribution', 'its box', *(f'{100 * share:g}%' for share in shares)]
    heads += [f'beats {rival}' for rival in rivals]
    rows = [heads, ['---', *['---:'] * (len(heads) - 1)]]
    for name, fall in falls.items():
        row = [name, f'{areas[name].mean():.0%}' if name in areas else '']
        row += [f'{value:.3f}' for value in fall.mean(axis=0)]
        is_chance = name in CHANCE
        row += [
            '' if is_chance or name == rival else f'{(fall > falls[rival]).mean():.0%}'
            for rival in rivals
        ]
        rows.append(row)
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def main():
    args = parse_args()
    check_args(args)
    cfg = load_config(args)
    model = load_classifier(cfg, existing_checkpoint(args.checkpoint)).to(get_device())
    if not hasattr(model.head, 'prototype_vectors'):
        raise InputError(f'model.head is a {type(model.head).__name__}: it has no prototypes')
    for name in args.attributions:
        check_attribution(name, model)
    rng = np.random.default_rng(args.seed)
    pictures = test_pictures(cfg, args.images, rng)
    measured = []
    for picture in track_iter_progress(pictures, file=sys.stderr):
        data = model.data_preprocessor({'inputs': [picture]}, training=False)
        measured.append(measure_picture(model, data['inputs'][0], args, rng))
    falls, areas = (
        {name: np.concatenate([one[name] for one in each]) for name in each[0]}
        for each in zip(*measured)
    )
    cases = len(falls[CHANCE[0]])
    print(f'\n{len(pictures)} test images, {cases} scores, covered by: {args.cover}\n')
    print(table(falls, areas, args.shares))


if __name__ == '__main__':
    with one_line_errors():
        main()
