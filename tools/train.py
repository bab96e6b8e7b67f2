#!/usr/bin/env python
"""Train a ProtoPNet: warm, joint, push, last layer, as the config's schedule says."""

from collections.abc import Mapping

from mmproto.apis import checked_runner
from mmproto.engine.optimizers.mixed_precision import DTYPES, use_mixed_precision
from mmproto.engine.stopping import stoppable
from mmproto.errors import InputError
from mmproto.utils.command_line import (
    config_parser,
    existing_checkpoint,
    load_config,
    one_line_errors,
)


def parse_args():
    parser = config_parser(__doc__)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from a checkpoint, or from the last whole one in the work dir, if there is one',
    )
    parser.add_argument(
        '--amp',
        nargs='?',
        const='auto',
        choices=DTYPES,
        metavar='DTYPE',
        help='train with mixed precision: in float16 with a loss scaler, on a GPU alone, or in '
        'bfloat16; auto, the default, is the former on a GPU and the latter on a CPU',
    )
    parser.add_argument('--no-validate', action='store_true', help='do not validate')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rates by the batch size over that of the config',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    misspelt: list[str] = []
    cfg = load_config(args, misspelt)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp and isinstance(cfg.get('optim_wrapper'), Mapping):  # else it is told below
        use_mixed_precision(cfg.optim_wrapper, args.amp)
    if args.auto_scale_lr:
        if not isinstance(cfg.get('auto_scale_lr'), Mapping):
            raise InputError(
                '--auto-scale-lr: the config does not say for which batch size its learning rates '
                'are; add auto_scale_lr=dict(base_batch_size=N)'
            )
        cfg.auto_scale_lr.enable = True
    if args.resume == 'auto':
        cfg.resume = 'auto'
    elif args.resume is not None:
        cfg.resume, cfg.load_from = True, existing_checkpoint(args.resume)
    runner = checked_runner(cfg, args.cfg_options or (), misspelt)
    with stoppable(runner):
        runner.train()


if __name__ == '__main__':
    with one_line_errors():
        main()
