#!/usr/bin/env python
"""Draw the attention of a ProtoPNet and a classifier with a linear head (the paper's Figure 4).

The columns are the class activation map of the baseline, the patches that the ProtoPNet matches,
and the prototypes that it compares them to.
"""

import argparse
from pathlib import Path

import torch

from mmproto.apis.classifier import load_classifier
from mmproto.apis.compare_attention import check_comparison, compare_attention
from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.utils.command_line import (
    existing_checkpoint,
    explainer_parser,
    get_device,
    load_config,
    one_line_errors,
)
from mmproto.utils.files import whole_file


def parse_args():
    parser = explainer_parser(__doc__)
    parser.add_argument('baseline_config', help='config file of the baseline')
    parser.add_argument('baseline_checkpoint', help='checkpoint file of the baseline')
    parser.add_argument('images', nargs='+', metavar='IMAGE', help='images')
    parser.add_argument(
        '--out', required=True, type=Path, metavar='FILE', help='the figure, .png or .jpg'
    )
    return parser.parse_args()


def main():
    args = parse_args()
    check_comparison(args.images, args.out)
    checkpoint = existing_checkpoint(args.checkpoint)
    baseline_checkpoint = existing_checkpoint(args.baseline_checkpoint)
    cfg = load_config(args)
    baseline_cfg = load_config(argparse.Namespace(**{**vars(args), 'config': args.baseline_config}))
    baseline = load_classifier(baseline_cfg, baseline_checkpoint)
    inferencer = ProtoPNetInferencer(
        cfg, checkpoint, device=torch.device(get_device()), prototypes=args.prototypes
    )
    figure = compare_attention(inferencer, baseline, args.images)
    with whole_file(args.out) as file:
        figure.save(file, quality=92, subsampling=0)
    print(f'Saved {args.out}')


if __name__ == '__main__':
    with one_line_errors():
        main()
