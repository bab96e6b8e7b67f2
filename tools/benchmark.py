#!/usr/bin/env python
"""Time and memory of a ProtoPNet beside the networks it is made of, as ratios, in one run.

An image and a training step beside the bare backbone and the same backbone with a linear head: by
the number of prototypes, by the size of the images, with channels last and in bf16; on a GPU in
TF32 and compiled as well. A push beside a forward pass; the last layer solved beside epochs of
Adam; explanations beside MMPretrain's inferencer, which predicts, and writing the same sheets.

On random images held in memory. All that is compared takes turns; the ratios of the medians are
what to quote. Tables are Markdown.
"""

import argparse
import os
import platform
import tempfile
from pathlib import Path

# First: it says what to install where MMPretrain is missing.
from mmproto.utils.command_line import one_line_errors, positive

# isort: split
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from mmproto.apis.benchmark.networks import MOST_CLASSES, PER_CLASS, RandomImages, Setting
from mmproto.apis.benchmark.pipeline import EXPLAINED, explanations, last_layer, push
from mmproto.apis.benchmark.ratios import GPU_VARIANTS, VARIANTS, one_image, training_step
from mmproto.apis.benchmark.tables import plot, ratio_table, time_table
from mmproto.errors import InputError
from mmproto.utils.extras import need
from mmproto.utils.files import check_picture_file

SCHEDULE = Path(__file__).parents[1] / 'configs/_base_/schedules/protopnet.py'
ON_IMAGES = ('push', 'last_layer', 'explanations')
PARTS = ('prototypes', 'sizes', 'variants', *ON_IMAGES)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--backbone', default='resnet34', help='name of a timm model')
    parser.add_argument(
        '--sizes',
        type=positive,
        nargs='+',
        default=[112, 64, 224],
        help='sides of the images; the first one but where sizes are compared',
    )
    parser.add_argument(
        '--prototypes',
        type=positive,
        nargs='+',
        default=[2000, 60, 600, 10_000, 100_000],
        help='numbers of prototypes; the first one but where numbers are compared',
    )
    parser.add_argument('--channels', type=positive, default=128, help='channels of a prototype')
    parser.add_argument(
        '--classes', type=positive, default=MOST_CLASSES, help='at most; each has ten prototypes'
    )
    parser.add_argument(
        '--out-index', type=int, default=-1, help="the network's map that is used; the last one"
    )
    parser.add_argument('--images', type=positive, default=400, help='images of the push set')
    parser.add_argument('--batch-size', type=positive, default=16, help='images of a batch')
    parser.add_argument('--repeats', type=positive, default=5, help='how often each is timed')
    parser.add_argument(
        '--parts', nargs='+', choices=PARTS, default=PARTS, help='what to measure; all by default'
    )
    parser.add_argument('--plot', type=Path, metavar='FILE.png', help='draw the ratios as well')
    return parser.parse_args()


def check(args, settings):
    for setting in settings:
        if setting.classes < 2:
            raise InputError(
                f'--prototypes {setting.prototypes} --classes {args.classes} make fewer than two '
                f'classes: give at least {2 * PER_CLASS} and 2'
            )
    if args.images < settings[0].classes and {*args.parts} & {*ON_IMAGES}:
        raise InputError(
            f'--images {args.images} is fewer than the {settings[0].classes} classes: give more'
        )
    try:
        settings[0].baseline()
    except Exception as error:  # whatever timm raises
        raise InputError(
            f'--backbone {args.backbone} --out-index {args.out_index} does not work: {error}'
        ) from error
    if args.plot:
        need('explain', 'matplotlib')
        check_picture_file(args.plot)


def machine(device):
    if device == 'cuda':
        return torch.cuda.get_device_name()
    load = f', load {os.getloadavg()[0]:.1f}' if hasattr(os, 'getloadavg') else ''
    return (
        f'{platform.processor() or platform.machine()}, {torch.get_num_threads()} of '
        f'{os.cpu_count()} cores{load}'
    )


def main():
    args = parse_args()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'

    def setting(prototypes=args.prototypes[0], size=args.sizes[0]):
        return Setting(
            args.backbone,
            size,
            prototypes,
            args.channels,
            device,
            out_index=args.out_index,
            most_classes=args.classes,
        )

    MMLogger.get_current_instance().setLevel('WARNING')
    check(args, [setting(prototypes) for prototypes in args.prototypes])
    recipe = Config.fromfile(SCHEDULE).optim_wrapper
    batch, repeats = args.batch_size, args.repeats
    print(
        f'{args.backbone}, prototypes of {args.channels} channels, training in batches of {batch}; '
        f'torch {torch.__version__}, {machine(device)}\n'
    )

    def compare(of, settings):
        """Print the costs of an image and of a step by setting and variant; return both."""
        image, step = {}, {}
        for name, (one, variant) in settings.items():
            image[name] = one_image(one, 4 * repeats, variant)
        print(ratio_table(f'One image, by {of}', of, image), flush=True)
        for name, (one, variant) in settings.items():
            step[name] = training_step(one, recipe, batch, repeats, variant)
        print(ratio_table(f'A training step, by {of}', of, step), flush=True)
        return {'one image': image, 'a training step': step}

    if 'prototypes' in args.parts:
        numbers = sorted(args.prototypes)
        found = compare('prototypes', {number: (setting(number), 'fp32') for number in numbers})
        if args.plot:
            plot(found, args.plot)
    if 'sizes' in args.parts:
        sizes = {f'{size} x {size}': (setting(size=size), 'fp32') for size in args.sizes}
        compare('pixels', sizes)
    if 'variants' in args.parts:
        variants = VARIANTS + (GPU_VARIANTS if device == 'cuda' else ())
        compare('variant', {variant: (setting(), variant) for variant in variants})
    model, dataset = setting().protopnet(), RandomImages(args.images, setting())
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if 'push' in args.parts:
            seconds = push(model, dataset, batch, repeats, folder)
            print(time_table(f'A push over {args.images} images', seconds), flush=True)
        if 'last_layer' in args.parts:
            seconds = last_layer(model, recipe, dataset, batch)
            print(time_table(f'The last layer on {args.images} images', seconds), flush=True)
        if 'explanations' in args.parts:
            seconds = explanations(model, dataset, batch, repeats, folder)
            count = min(EXPLAINED, args.images)
            print(time_table(f'Explaining {count} images', seconds), flush=True)


if __name__ == '__main__':
    with one_line_errors():
        main()
