#!/usr/bin/env python
"""Make what a person has decided of a checkpoint's prototypes real, and save it anew."""

from pathlib import Path

from mmproto.apis.apply_edits import apply_edits, check_edits
from mmproto.apis.checkpoint_editor import CheckpointEditor
from mmproto.apis.edits import Edits
from mmproto.engine.allowed_patches import standing_on_forbidden
from mmproto.engine.validation import changes
from mmproto.utils.command_line import (
    editor_parser,
    existing_checkpoint,
    load_config,
    one_line_errors,
)
from mmproto.utils.files import check_out_file


def parse_args():
    parser = editor_parser(__doc__)
    parser.add_argument('edits', help='edits.json, as the report saves it or written by hand')
    parser.add_argument(
        '--keep-last-layer',
        action='store_true',
        help='leave the weights of the prototypes that stay as they are',
    )
    parser.add_argument(
        '--allow-empty', action='store_true', help='let a class lose its last prototype'
    )
    return parser.parse_args()


def main():
    args = parse_args()
    out = Path(args.out)
    check_out_file(out)
    edits = Edits.load(Path(args.edits))
    cfg = load_config(args)
    editor = CheckpointEditor(cfg, existing_checkpoint(args.checkpoint))
    head, logger = editor.model.head, editor.runner.logger

    check_edits(head, edits, editor.class_names, args.allow_empty)
    before = editor.validate()
    apply_edits(head, edits)
    for line in edits.in_words():
        logger.info(f'{line}.')
    if not args.keep_last_layer:
        editor.solve_last_layer()
    moved = []
    if head.prototypes_are_patches:
        dataloader = editor.push_dataloader
        moved = standing_on_forbidden(editor.model, dataloader.dataset, dataloader.num_workers)
    for line in changes(before, editor.validate()):
        logger.info(f'{line}.')
    editor.save(out)
    if moved:
        logger.info(
            f'The prototypes {", ".join(map(str, moved))}, as they are numbered now, are on '
            f'forbidden patches until the next push: tools/push.py {args.config} {out} --out NEW'
        )
    logger.info(f'Train on by tools/train.py {args.config} --cfg-options load_from={out}')


if __name__ == '__main__':
    with one_line_errors():
        main()
