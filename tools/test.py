#!/usr/bin/env python
"""Test a ProtoPNet, or any other classifier of MMPretrain, on the config's test set."""

import mmengine
from mmengine.runner import Runner

from mmproto.apis.classifier import own_checkpoint, without_pretrained
from mmproto.utils.command_line import (
    checkpoint_parser,
    existing_checkpoint,
    load_config,
    one_line_errors,
)


def parse_args():
    parser = checkpoint_parser(__doc__)
    parser.add_argument('--out', metavar='FILE.json', help='write the metrics to a file')
    parser.add_argument('--dump', metavar='FILE.pkl', help='write the predictions to a file')
    return parser.parse_args()


def main():
    args = parse_args()
    cfg = load_config(args)
    file = existing_checkpoint(args.checkpoint)
    if args.dump:
        evaluator = cfg.test_evaluator
        evaluators = evaluator if isinstance(evaluator, list) else [evaluator]
        cfg.test_evaluator = [*evaluators, dict(type='DumpResults', out_file_path=args.dump)]
    cfg.load_from = None
    without_pretrained(cfg)
    runner = Runner.from_cfg(cfg)
    with own_checkpoint(cfg, file):
        runner.load_checkpoint(file, strict=True)
    metrics = runner.test()
    if args.out and runner.rank == 0:
        mmengine.dump(metrics, args.out)


if __name__ == '__main__':
    with one_line_errors():
        main()
