#!/usr/bin/env python
"""Push the prototypes of a checkpoint onto training patches, and save it anew."""

from dataclasses import replace
from pathlib import Path

from mmengine.runner import Runner, save_checkpoint
from mmengine.runner.checkpoint import weights_to_cpu

from mmproto.apis.classifier import own_checkpoint, without_pretrained
from mmproto.engine.push import push_prototypes
from mmproto.engine.push_dataloader import build_push_dataloader
from mmproto.engine.push_record import push_record
from mmproto.engine.validation import validate
from mmproto.models import unwrap_model
from mmproto.utils.command_line import (
    config_parser,
    existing_checkpoint,
    load_config,
    one_line_errors,
)
from mmproto.utils.files import check_out_file
from mmproto.visualization.prototype_files import write_prototypes


def parse_args():
    parser = config_parser(__doc__)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', required=True, metavar='NEW', help='where to save it')
    parser.add_argument(
        '--images',
        metavar='DIR',
        help='where to draw the prototypes; NEW_prototypes by default',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    out = Path(args.out)
    check_out_file(out)
    folder = Path(args.images) if args.images else out.with_name(f'{out.stem}_prototypes')
    cfg = load_config(args)
    file = existing_checkpoint(args.checkpoint)
    cfg.custom_hooks = []
    without_pretrained(cfg)
    runner = Runner.from_cfg(cfg)
    with own_checkpoint(cfg, file):
        checkpoint = runner.load_checkpoint(file, strict=True)
    meta = checkpoint.get('meta', {})
    model, dataloader = unwrap_model(runner.model), build_push_dataloader(runner)

    before = validate(runner)
    nearest = push_prototypes(model, dataloader)
    record = push_record(model.head, dataloader.dataset, meta.get('epoch'), before)
    runner.logger.info(f'Push: {record.summary()}.')
    if runner.rank == 0:
        state = weights_to_cpu(model.state_dict())
        save_checkpoint(dict(meta=meta, state_dict=state), str(out))
        runner.logger.info(f'Saved {out}.')
    record = replace(record, after=validate(runner))
    for line in record.changes() + record.warnings():
        runner.logger.info(f'Push: {line}.')
    if runner.rank == 0:
        record.save(folder)
    write_prototypes(model, nearest, dataloader.dataset, folder)
    runner.logger.info(f'Push: the prototypes are drawn in {folder}.')


if __name__ == '__main__':
    with one_line_errors():
        main()
