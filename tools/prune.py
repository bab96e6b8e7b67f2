#!/usr/bin/env python
"""Drop prototypes of a checkpoint, solve its last layer again, and save it anew."""

import shlex
from functools import partial
from pathlib import Path

from mmproto.apis.checkpoint_editor import CheckpointEditor
from mmproto.apis.prune import (
    by_duplicates,
    by_neighbours,
    by_number,
    by_weight,
    prune_checkpoint,
)
from mmproto.utils.command_line import (
    editor_parser,
    existing_checkpoint,
    load_config,
    one_line_errors,
    positive,
)
from mmproto.utils.files import check_out_file
from mmproto.visualization.explanation_page import patches_warning

K, THRESHOLD = 6, 3


def parse_args():
    parser = editor_parser(__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        '--by',
        choices=['neighbours', 'weight', 'duplicates'],
        default='neighbours',
        help='which to drop: those whose nearest training patches are of other classes (default), '
        'those that no class counts, or all but one of those on one patch',
    )
    which.add_argument(
        '--prototypes', type=int, nargs='+', metavar='NUMBER', help='drop these prototypes instead'
    )
    parser.add_argument(
        '--k', type=positive, help=f'neighbours: nearest patches to look at (default {K})'
    )
    parser.add_argument(
        '--threshold',
        type=positive,
        help=f'neighbours: how many of them have to be of the class (default {THRESHOLD})',
    )
    parser.add_argument(
        '--allow-empty', action='store_true', help='a class may lose all of its prototypes'
    )
    parser.add_argument(
        '--keep-last-layer', action='store_true', help='do not solve the last layer again'
    )
    args = parser.parse_args()
    if (args.k or args.threshold) and (args.prototypes or args.by != 'neighbours'):
        parser.error('--k and --threshold are settings of --by neighbours')
    return args


def rule(args):
    if args.prototypes:
        return partial(by_number, prototypes=args.prototypes)
    if args.by == 'neighbours':
        return partial(by_neighbours, k=args.k or K, threshold=args.threshold or THRESHOLD)
    return dict(weight=by_weight, duplicates=by_duplicates)[args.by]


def main():
    args = parse_args()
    out = Path(args.out)
    check_out_file(out)
    cfg = load_config(args)
    editor = CheckpointEditor(cfg, existing_checkpoint(args.checkpoint))
    logger = editor.runner.logger
    if warning := patches_warning(editor.model.head):
        logger.warning(warning)
    record = prune_checkpoint(
        editor, rule(args), allow_empty=args.allow_empty, solve=not args.keep_last_layer
    )
    for line in record.lines(editor.class_names):
        logger.info(f'Prune: {line}.')
    editor.save(out)
    pair = shlex.join([args.config, args.out])
    logger.info(
        f'Next: tools/test.py {pair} for the test set, tools/report.py {pair} --out DIR to look '
        'at the prototypes that are left.'
    )


if __name__ == '__main__':
    with one_line_errors():
        main()
