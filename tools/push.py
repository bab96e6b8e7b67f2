#!/usr/bin/env python
"""Push the prototypes of a checkpoint onto training patches, and save it anew."""

from pathlib import Path

from mmengine.runner import Runner, save_checkpoint
from mmengine.runner.checkpoint import weights_to_cpu

from mmproto.apis.classifier import own_checkpoint, without_pretrained
from mmproto.engine import PrototypePushHook
from mmproto.models import unwrap_model
from mmproto.utils.command_line import (
    config_parser,
    existing_checkpoint,
    load_config,
    one_line_errors,
)
from mmproto.utils.files import check_out_file


def parse_args():
    parser = config_parser(__doc__)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', required=True, metavar='NEW', help='where to save it')
    parser.add_argument(
        '--pictures',
        metavar='DIR',
        help='where to write the prototypes; NEW_prototypes by default',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    out = Path(args.out)
    check_out_file(out)
    cfg = load_config(args)
    file = existing_checkpoint(args.checkpoint)
    cfg.custom_hooks = []
    without_pretrained(cfg)
    runner = Runner.from_cfg(cfg)
    with own_checkpoint(cfg, file):
        checkpoint = runner.load_checkpoint(file, strict=True)
    hook = PrototypePushHook()
    hook.build_dataloader(runner)
    hook.push(
        runner, Path(args.pictures) if args.pictures else out.with_name(f'{out.stem}_prototypes')
    )
    if runner.rank == 0:
        state = weights_to_cpu(unwrap_model(runner.model).state_dict())
        save_checkpoint(dict(meta=checkpoint.get('meta', {}), state_dict=state), str(out))
        runner.logger.info(f'Saved {out}.')


if __name__ == '__main__':
    with one_line_errors():
        main()
