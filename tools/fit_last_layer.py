#!/usr/bin/env python
"""Solve the last layer of a checkpoint until nothing can be gained, and save it anew."""

from pathlib import Path

from mmproto.apis.checkpoint_editor import CheckpointEditor
from mmproto.apis.last_layer import fit_along_path, last_layer_solver, watch_own_class_points
from mmproto.utils.command_line import (
    editor_parser,
    existing_checkpoint,
    is_main_process,
    load_config,
    one_line_errors,
)
from mmproto.utils.extras import need
from mmproto.utils.files import check_out_file
from mmproto.visualization.explanation_page import patches_warning
from mmproto.visualization.last_layer_page import print_path, write_path


def parse_args():
    parser = editor_parser(__doc__)
    price = parser.add_mutually_exclusive_group()
    price.add_argument(
        '--l1-weight',
        type=float,
        metavar='LAMBDA',
        help='price of a connection to another class; the larger, the fewer there are',
    )
    price.add_argument(
        '--path',
        action='store_true',
        help='try one price after another, from no connection to many, and take the one that '
        'held-out images recommend; NEW_path.html shows them all',
    )
    parser.add_argument(
        '--l2-weight',
        type=float,
        metavar='MU',
        help='the larger, the nearer to 1 the connections to the own class',
    )
    parser.add_argument(
        '--non-negative',
        action='store_true',
        default=None,
        help='no connection below zero: prototypes only speak for classes',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    out = Path(args.out)
    check_out_file(out)
    if args.path:
        need('explain', 'plotly')
    cfg = load_config(args)
    file = existing_checkpoint(args.checkpoint)
    settings = {name: getattr(args, name) for name in ('l1_weight', 'l2_weight', 'non_negative')}
    solver = last_layer_solver(cfg, **{k: v for k, v in settings.items() if v is not None})
    watch_own_class_points(cfg)
    editor = CheckpointEditor(cfg, file)
    logger, head, loader = editor.runner.logger, editor.model.head, editor.push_dataloader
    if warning := patches_warning(head):
        logger.warning(warning)

    before = editor.validate()
    if args.path:
        path, figures = fit_along_path(editor, solver)
        if is_main_process():
            print_path(path)
            page = out.with_name(f'{out.stem}_path.html')
            write_path(path, file, page)
            logger.info(f'{path.reason()} {page} shows the path.')
    else:
        figures = solver(editor.model, loader)
    logger.info(
        f'Last layer: objective {figures["objective"]:.6f}, residual {figures["residual"]:.1e} of '
        f'l1_weight after {figures["iterations"]} steps; {figures["connections"]} of '
        f'{int((~solver.penalty(head).own).sum())} connections to other classes are not zero.'
    )
    editor.save(out)
    for metric, after in editor.validate().items():
        logger.info(f'Validation: {metric} was {before[metric]:.4g} and is {after:.4g}.')


if __name__ == '__main__':
    with one_line_errors():
        main()
