#!/usr/bin/env python
"""Push the prototypes of a checkpoint onto training patches, and save it anew."""

from dataclasses import replace
from pathlib import Path

from mmproto.apis.checkpoint_editor import CheckpointEditor
from mmproto.engine.hooks import PrototypePushHook
from mmproto.engine.nearest_patch_search import find_nearest_patches
from mmproto.engine.push import watched_push
from mmproto.errors import InputError
from mmproto.utils.command_line import (
    editor_parser,
    existing_checkpoint,
    is_main_process,
    load_config,
    one_line_errors,
)
from mmproto.utils.files import check_out_file, make_writable
from mmproto.visualization.prototype_files import write_prototypes


def parse_args():
    parser = editor_parser(__doc__)
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
    make_writable(folder)
    cfg = load_config(args)
    file = existing_checkpoint(args.checkpoint)
    editor = CheckpointEditor(cfg, file)
    model, dataloader, logger = editor.model, editor.push_dataloader, editor.runner.logger

    runner = editor.runner
    search = next((one.search for one in runner.hooks if isinstance(one, PrototypePushHook)), None)
    nearest, record = watched_push(
        runner, dataloader, editor.meta.get('epoch'), search or find_nearest_patches
    )
    for line in record.summaries():
        logger.info(f'Push: {line}.')
    editor.save(out)
    record = replace(record, after=editor.validate())
    for line in record.changes() + record.warnings():
        logger.info(f'Push: {line}.')
    try:
        if is_main_process():
            record.save(folder)
        write_prototypes(model, nearest, dataloader.dataset, folder)
    except OSError as error:
        raise InputError(
            f'{out} is saved, but not all of its prototypes are drawn: {error.filename} cannot be '
            f'written ({error.strerror}): push it once more, with another folder as --images'
        ) from error
    logger.info(f'Push: the prototypes are drawn in {folder}.')


if __name__ == '__main__':
    with one_line_errors():
        main()
