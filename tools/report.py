#!/usr/bin/env python
"""Report on a whole model: one page for whoever decides whether to trust it."""

from pathlib import Path

import torch

from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.apis.report import analyse, data_sets
from mmproto.evaluation.figure_table import figures_in_words
from mmproto.explanation.attribution import ATTRIBUTIONS, check_attribution
from mmproto.utils.command_line import (
    existing_checkpoint,
    explainer_parser,
    get_device,
    load_config,
    one_line_errors,
    positive,
)
from mmproto.utils.extras import need
from mmproto.utils.files import make_writable
from mmproto.visualization.report_page import write_report


def parse_args():
    parser = explainer_parser(__doc__)
    parser.add_argument('--out', required=True, metavar='DIR', help='where report.html goes')
    parser.add_argument(
        '--batch-size', type=positive, default=32, help='images at once (default 32)'
    )
    parser.add_argument(
        '--attribution',
        metavar='NAME',
        help='show heat maps by this as well, beside those by upsampling: '
        f'{", ".join(sorted(set(ATTRIBUTIONS) - {"upsampling"}))}; takes a while on a CPU',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    need('explain', 'plotly', 'sklearn')
    cfg, checkpoint = load_config(args), existing_checkpoint(args.checkpoint)
    make_writable(Path(args.out))
    inferencer = ProtoPNetInferencer(
        cfg,
        checkpoint,
        device=torch.device(get_device()),
        prototypes=args.prototypes,
    )
    if args.attribution is not None:
        check_attribution(args.attribution, inferencer.model)
    report = analyse(inferencer, args.config, checkpoint, args.batch_size, args.attribution)
    file = Path(args.out) / 'report.html'
    write_report(report, inferencer.gallery, data_sets(inferencer), file)
    print(f'Accuracy {report.accuracy:.1%} on {report.confusion_matrix.sum()} test images.')
    print(figures_in_words(report.figures))
    print(f'The report is in {file}')


if __name__ == '__main__':
    with one_line_errors():
        main()
