#!/usr/bin/env python
"""Lay the prototypes that a push has written out on one image, a row a class."""

import argparse
from pathlib import Path


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', help='what a push has written, e.g. .../prototypes/epoch_71')
    parser.add_argument('--out', required=True, metavar='FILE.png', help='the image')
    parser.add_argument('--classes', type=int, help='how many classes to show; all by default')
    return parser.parse_args()


def main():
    args = parse_args()
    # Imported now, so that --help need not wait for torch.
    from mmproto.errors import InputError
    from mmproto.utils.command_line import one_line_errors
    from mmproto.utils.files import check_picture_file, whole_file
    from mmproto.visualization.prototype_sheet import prototype_sheet

    with one_line_errors():
        check_picture_file(Path(args.out))
        if args.classes is not None and args.classes < 1:
            raise InputError(f'--classes {args.classes}: give at least 1')
        sheet = prototype_sheet(Path(args.folder), args.classes)
        with whole_file(Path(args.out)) as file:
            sheet.save(file)
        print(args.out)


if __name__ == '__main__':
    main()
