#!/usr/bin/env python
"""Measure whether a model's explanations are true, beside what chance gives."""

from pathlib import Path

from mmproto.apis.classifier import own_checkpoint, without_pretrained
from mmproto.engine.runner import build_runner
from mmproto.errors import InputError
from mmproto.evaluation.figure_table import figures_in_words
from mmproto.evaluation.figures import MEASURES
from mmproto.utils.command_line import (
    checkpoint_parser,
    existing_checkpoint,
    load_config,
    one_line_errors,
)
from mmproto.utils.files import make_writable


def parse_args():
    parser = checkpoint_parser(__doc__)
    parser.add_argument(
        '--out', required=True, metavar='DIR', help='where explanations.json and .md go'
    )
    parser.add_argument(
        '--measures',
        nargs='+',
        choices=list(MEASURES),
        metavar='NAME',
        help=f'what is measured: {", ".join(MEASURES)} (default all but quantus)',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    cfg = load_config(args)
    file = existing_checkpoint(args.checkpoint)
    make_writable(Path(args.out))
    if cfg.get('test_dataloader') is None:
        raise InputError('the config has no test_dataloader, whose images are measured: add one')
    cfg.load_from = None
    without_pretrained(cfg)
    cfg.test_evaluator = [
        dict(type='Accuracy'),
        dict(type='ExplanationMetrics', measures=args.measures, out_dir=args.out),
    ]
    hooks = cfg.get('custom_hooks') or []
    if all(hook['type'] != 'ExplanationHook' for hook in hooks):
        cfg.custom_hooks = [*hooks, dict(type='ExplanationHook')]
    runner = build_runner(cfg)
    with own_checkpoint(cfg, file):
        runner.load_checkpoint(file, strict=True)
    metric = runner.test_evaluator.metrics[-1]
    try:
        runner.test()
    finally:  # a file that cannot be written does not cost the figures
        if metric.found and runner.rank == 0:
            print(figures_in_words(metric.found))
    if runner.rank == 0:
        print(f'The figures with what they mean: {Path(args.out) / "explanations.md"}')


if __name__ == '__main__':
    with one_line_errors():
        main()
