#!/usr/bin/env python
"""Explain images: which prototypes they look like, where, and the points that follow."""

import sys

import torch

from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.explanation.attribution import ATTRIBUTIONS, find_attribution
from mmproto.utils.command_line import (
    existing_checkpoint,
    explainer_parser,
    get_device,
    load_config,
    one_line_errors,
    positive,
)


def parse_args():
    parser = explainer_parser(__doc__)
    parser.add_argument('images', nargs='+', metavar='IMAGE', help='images, or folders of them')
    parser.add_argument('--out', required=True, metavar='DIR', help='where the pages go')
    parser.add_argument(
        '--class',
        dest='target',
        metavar='CLASS',
        help='name or number of the class to explain; the predicted one by default',
    )
    parser.add_argument(
        '--attribution',
        default='upsampling',
        metavar='NAME',
        help=f'what finds the boxes and heat maps: {", ".join(ATTRIBUTIONS)} (default upsampling)',
    )
    parser.add_argument(
        '--batch-size', type=positive, default=16, help='images at once (default 16)'
    )
    return parser.parse_args()


def main():
    args = parse_args()
    find_attribution(args.attribution)
    cfg = load_config(args)
    inferencer = ProtoPNetInferencer(
        cfg,
        existing_checkpoint(args.checkpoint),
        device=torch.device(get_device()),
        prototypes=args.prototypes,
        attribution=args.attribution,
    )
    results = inferencer(
        args.images, batch_size=args.batch_size, target=args.target, out_dir=args.out
    )
    if inferencer.warning:
        print(f'warning: {inferencer.warning}', file=sys.stderr)
    for result in results:
        one = result['explanation']
        print(
            f'{one.name}: {one.class_name(result["pred_label"])} ({result["pred_score"]:.1%}), '
            f'{args.out}/{one.name}.html'
        )


if __name__ == '__main__':
    with one_line_errors():
        main()
