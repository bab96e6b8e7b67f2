#!/usr/bin/env python
"""Test a ProtoPNet, or any other classifier of MMPretrain, on the config's test set."""

from pathlib import Path

from mmproto.apis.classifier import check_own_classes, own_checkpoint, without_pretrained
from mmproto.apis.config_check.checks import require_sound
from mmproto.apis.testing import (
    augment,
    check_dumped,
    dump_predictions,
    output_item,
    show,
    write_metrics,
)
from mmproto.engine.runner import build_runner
from mmproto.errors import InputError
from mmproto.models import ProtoPNetHead, unwrap_model
from mmproto.utils.command_line import (
    checkpoint_parser,
    existing_checkpoint,
    load_config,
    one_line_errors,
    positive,
)
from mmproto.utils.files import check_out_file, make_writable


def parse_args():
    parser = checkpoint_parser(__doc__)
    parser.add_argument(
        '--out',
        action='append',
        default=[],
        metavar='FILE',
        help='write to a file: the predictions to FILE.pkl, the metrics to FILE.json; may be given '
        'once for each',
    )
    parser.add_argument(
        '--out-item', choices=['metrics', 'pred'], help='what to write, whatever the file is called'
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help="average the scores of several views of each image: the config's tta_pipeline and "
        'tta_model, or the image and its mirror image',
    )
    parser.add_argument('--amp', action='store_true', help='test with mixed precision')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--show-dir', metavar='DIR', help='save images with the predictions')
    parser.add_argument(
        '--interval',
        type=positive,
        default=1,
        metavar='N',
        help='show or save every Nth image (default 1)',
    )
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        metavar='SECONDS',
        help='how long a window stays (default 2)',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    if args.out_item and not args.out:
        raise InputError(f'--out-item {args.out_item}: name the file by --out')
    if args.tta and (args.show or args.show_dir):
        raise InputError('--tta has several views of an image, none to show: leave out one of them')
    items = {file: output_item(file, args.out_item) for file in args.out}
    for file in args.out:
        make_writable(Path(file).parent)
        check_out_file(Path(file))
    if args.show_dir is not None:
        make_writable(Path(args.show_dir))
    misspelt: list[str] = []
    cfg = load_config(args, misspelt)
    file = existing_checkpoint(args.checkpoint)
    require_sound(cfg, args.cfg_options or (), ['test'], misspelt)
    if args.amp:
        cfg.test_cfg.fp16 = True
    if args.show or args.show_dir:
        show(cfg, args.show, args.show_dir, args.interval, args.wait_time)
    cfg.load_from = None
    without_pretrained(cfg)
    if args.tta:
        augment(cfg)
    dump_predictions(cfg, [file for file, item in items.items() if item == 'pred'])
    runner = build_runner(cfg)
    with own_checkpoint(cfg, file):
        meta = runner.load_checkpoint(file, strict=True).get('meta', {})
    model = unwrap_model(runner.model)
    head = getattr(getattr(model, 'module', model), 'head', None)  # --tta wraps the model too
    if isinstance(head, ProtoPNetHead):
        dataset = runner.test_dataloader.dataset
        check_own_classes(meta, head.num_classes, 'test_dataloader', dataset)
    metrics = runner.test()
    if runner.rank == 0:
        write_metrics(metrics, [file for file, item in items.items() if item == 'metrics'])
        check_dumped(runner)


if __name__ == '__main__':
    with one_line_errors():
        main()
