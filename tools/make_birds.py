#!/usr/bin/env python
"""Draw a small bird data set in CUB-200-2011's layout."""

from __future__ import annotations

import argparse


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The command line."""
    parser = argparse.ArgumentParser(
        description='Draw a bird data set in the layout of CUB-200-2011: images, labels, the '
        'train/test split, bounding boxes, part locations and segmentations. The same arguments '
        'give the same files.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('out', metavar='OUT', help='folder to make; must not exist or be empty')
    parser.add_argument('--classes', type=int, default=12, metavar='N', help='species, at least 2')
    parser.add_argument('--train', type=int, default=60, metavar='N', help='train images a class')
    parser.add_argument('--test', type=int, default=20, metavar='N', help='test images a class')
    parser.add_argument('--size', type=int, default=128, metavar='N', help='image side in pixels')
    parser.add_argument(
        '--seed', type=int, default=0, metavar='N', help='another seed, other birds'
    )
    parser.add_argument(
        '--interventions',
        action='store_true',
        help='also draw each test image without each part, with each exchanged for that of '
        'another species and with another background, some without each set of parts, and a mask '
        'of its parts',
    )
    return parser, parser.parse_args()


def main() -> None:
    """Draws the birds, or says in one line why not."""
    parser, args = parse_args()
    # Imported now, so that --help need not wait for torch.
    from rich.progress import track

    from mmproto.datasets.birds import make_birds

    try:
        out = make_birds(
            **vars(args), track=lambda numbers: track(numbers, description='Drawing birds')
        )
    except (OSError, ValueError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    total = args.classes * (args.train + args.test)
    print(f'{out}: {total} images of {args.classes} species')


if __name__ == '__main__':
    main()
