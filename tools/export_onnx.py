#!/usr/bin/env python
"""Export a ProtoPNet to ONNX: logits, scores and places of its prototypes, for any batch size.

The file takes images as float32 (N, 3, H, W) of values from 0 to 255, in the order red, green,
blue if the config's data_preprocessor has to_rgb=True; the normalisation is part of it. Height and
width are free where the network takes several, and else those of --size. It gives
logits (N, classes), scores (N, prototypes), location (N, prototypes, 2), row and column of the
patch in the feature map, and boxes (N, prototypes, 4), its top, bottom, left and right in pixels.
Names of the classes and where the prototypes come from are in its metadata.
"""

from pathlib import Path

from mmproto.apis.classifier import load_classifier
from mmproto.apis.export_onnx import OPSET, check_export, export_onnx, input_size
from mmproto.errors import InputError
from mmproto.utils.command_line import (
    checkpoint_parser,
    existing_checkpoint,
    load_config,
    one_line_errors,
)


def parse_args():
    parser = checkpoint_parser(__doc__)
    parser.add_argument('--out', required=True, metavar='MODEL.onnx', help='where to write it')
    parser.add_argument(
        '--size',
        nargs=2,
        type=int,
        metavar=('HEIGHT', 'WIDTH'),
        help='size of the images in pixels, or of some where the network takes any; that of the '
        "config's test pipeline by default",
    )
    parser.add_argument(
        '--opset',
        type=int,
        default=OPSET,
        help="version of ONNX's operators (default: %(default)s)",
    )
    return parser.parse_args()


def main():
    args = parse_args()
    out = Path(args.out)
    check_export(out, args.opset)
    cfg = load_config(args)
    file = existing_checkpoint(args.checkpoint)
    if args.size and min(args.size) < 1:
        raise InputError(f'--size {args.size[0]} {args.size[1]}: give two numbers of at least 1')
    size = tuple(args.size) if args.size else input_size(cfg)
    agreement = export_onnx(load_classifier(cfg, file), size, out, args.opset)
    height, width = size
    taken = 'any size that the network takes' if len(agreement.sizes) > 1 else f'{height} x {width}'
    print(
        f'Saved {out}, which takes images of {taken}. On random images it differs from PyTorch by '
        f'at most {agreement.difference:.1e} and finds the prototypes in the same place in '
        f'{agreement.same} of {agreement.cases} cases.'
    )


if __name__ == '__main__':
    with one_line_errors():
        main()
