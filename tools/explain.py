#!/usr/bin/env python
"""Explain images: which prototypes they look like, where, and the points that follow."""

import sys
from pathlib import Path

import torch

from mmproto.apis.inferencer import FIELDS, ProtoPNetInferencer
from mmproto.apis.prototype_table import check_table_file, prototype_rows, write_table
from mmproto.explanation.attribution import ATTRIBUTIONS, find_attribution
from mmproto.utils.command_line import (
    existing_checkpoint,
    explainer_parser,
    get_device,
    load_config,
    not_negative,
    one_line_errors,
    positive,
)


def parse_args():
    parser = explainer_parser(__doc__)
    parser.add_argument('images', nargs='*', metavar='IMAGE', help='images, or folders of them')
    parser.add_argument(
        '--test-images',
        nargs='+',
        type=int,
        default=[],
        metavar='NUMBER',
        help="images of the config's test set, numbered from 0, as of one that has no files",
    )
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
        '--fields',
        type=not_negative,
        default=FIELDS,
        metavar='N',
        help='draw the effective receptive field of the N prototypes with most points, each of '
        f'which takes a backward pass (default {FIELDS})',
    )
    parser.add_argument(
        '--batch-size', type=positive, default=16, help='images at once (default 16)'
    )
    parser.add_argument(
        '--all-prototypes',
        type=Path,
        metavar='FILE',
        help="write every prototype's score, points and box in each image, as .csv or .json",
    )
    args = parser.parse_intermixed_args()
    if not (args.images or args.test_images):
        parser.error('give images, or --test-images')
    return args


def main():
    args = parse_args()
    find_attribution(args.attribution)
    if args.all_prototypes:
        check_table_file(args.all_prototypes)
    cfg = load_config(args)
    inferencer = ProtoPNetInferencer(
        cfg,
        existing_checkpoint(args.checkpoint),
        device=torch.device(get_device()),
        prototypes=args.prototypes,
        attribution=args.attribution,
        fields=args.fields,
    )
    images = [*args.images, *args.test_images]
    results = inferencer.stream(
        images, batch_size=args.batch_size, target=args.target, out_dir=args.out
    )
    for result in results:
        one = result['explanation']
        print(f'{one.name}: {one.verdict}, {args.out}/{one.name}.html')
    if inferencer.warning:
        print(f'warning: {inferencer.warning}', file=sys.stderr)
    if args.all_prototypes:
        write_table(prototype_rows(inferencer, images, args.batch_size), args.all_prototypes)


if __name__ == '__main__':
    with one_line_errors():
        main()
