#!/usr/bin/env python
"""Time a push, the steps and the end of a training, and explanations, each against a plain one.

A push is timed against a bare forward pass, a step of each stage against a linear head's, the
last layer by epochs of Adam against solving it, and explaining images against MMPretrain's
inferencer, which predicts, and writing the same sheets.

Everything is measured in turn, in one run, on random images held in memory; the ratios of the
medians are what to quote.
"""

import argparse
import copy
import statistics
import tempfile
import time
from pathlib import Path

# First: it says what to install where MMPretrain is missing.
from mmproto.utils.command_line import one_line_errors

# isort: split
import cv2
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain import ImageClassificationInferencer
from mmpretrain.registry import MODELS, OPTIM_WRAPPERS
from mmpretrain.structures import DataSample
from PIL import Image
from torch.utils.data import Dataset

from mmproto.apis import ProtoPNetInferencer, push_prototypes, write_prototypes
from mmproto.engine.solvers import SparseLastLayer
from mmproto.engine.solvers.score_pass import score_images
from mmproto.errors import InputError

SCHEDULE = Path(__file__).parents[1] / 'configs/_base_/schedules/protopnet.py'
PER_CLASS = 10
EXPLAINED = 100


class RandomImages(Dataset):
    """Random images of every class in turn."""

    def __init__(self, count, classes, size):
        self.images = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8)
        self.labels = torch.arange(count) * classes // count
        self.metainfo = dict(classes=[f'class {label}' for label in range(classes)])

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        sample = DataSample().set_gt_label(int(self.labels[index]))
        return dict(inputs=self.images[index], data_samples=sample)

    def get_data_info(self, index):
        return dict(img_path=f'{index}.png', gt_label=int(self.labels[index]))


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--backbone', default='resnet34', help='name of a timm model')
    parser.add_argument('--size', type=int, default=112, help='side of the images')
    parser.add_argument('--prototypes', type=int, default=2000, help='number of prototypes')
    parser.add_argument('--channels', type=int, default=128, help='channels of a prototype')
    parser.add_argument('--images', type=int, default=400, help='images of the push set')
    parser.add_argument('--batch-size', type=int, default=40, help='images of a batch')
    parser.add_argument('--repeats', type=int, default=5, help='how often each is timed')
    parser.add_argument('--amp', action='store_true', help='steps in mixed precision (GPU)')
    return parser.parse_args()


def build(args, kind, neck, head, device):
    backbone = dict(
        type='TIMMBackbone', model_name=args.backbone, features_only=True, out_indices=(-1,)
    )
    model = MODELS.build(dict(type=kind, backbone=backbone, neck=neck, head=head))
    return model.to(device)


def time_in_turn(functions, repeats):
    """Median seconds of each function; they take turns, after one turn that is not counted."""
    seconds = {name: [] for name in functions}
    for turn in range(repeats + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def report(title, seconds):
    floor = next(iter(seconds.values()))
    print(f'\n{title}')
    for name, value in seconds.items():
        print(f'  {name:<30}{value:9.3f} s {value / floor:8.2f}')


def in_order(args, dataset):
    """A loader of all images, in order."""
    return Runner.build_dataloader(
        ConfigDict(
            batch_size=args.batch_size,
            num_workers=0,
            dataset=dataset,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        )
    )


def time_push(args, model, dataset):
    loader = in_order(args, dataset)

    @torch.no_grad()
    def forward():
        model.eval()
        for data in loader:
            model.backbone(model.data_preprocessor(data)['inputs'])

    with tempfile.TemporaryDirectory() as folder:
        return time_in_turn(
            {
                'bare forward pass': forward,
                'push': lambda: push_prototypes(model, loader),
                'push and draw': lambda: write_prototypes(
                    model, push_prototypes(model, loader), dataset, folder
                ),
            },
            args.repeats,
        )


def time_steps(args, model, baseline, dataset):
    samples = [dataset[i] for i in range(args.batch_size)]
    data = dict(
        inputs=torch.stack([sample['inputs'] for sample in samples]),
        data_samples=[sample['data_samples'] for sample in samples],
    )
    kind = dict(type='AmpOptimWrapper' if args.amp else 'OptimWrapper')
    recipe = Config.fromfile(SCHEDULE).optim_wrapper
    staged = build_optim_wrapper(model, {**recipe, **kind})
    plain = OPTIM_WRAPPERS.build(
        dict(optimizer=torch.optim.Adam(baseline.parameters(), lr=1e-4), **kind)
    )

    def step_of(stage):
        def step():
            model.train()
            staged.activate(stage, model, iterations=1)
            model.train_step(data, staged)

        return step

    def baseline_step():
        baseline.train()
        baseline.train_step(data, plain)

    steps = {stage: step_of(stage) for stage in ('joint', 'warm', 'last_layer')}
    return time_in_turn({'linear head': baseline_step, **steps}, args.repeats)


def time_last_layer(args, model, dataset):
    """Once each, from the same weights; objectives are those of the solver's problem."""
    loader, solver = in_order(args, dataset), SparseLastLayer()
    recipe = Config.fromfile(SCHEDULE).optim_wrapper
    epochs = recipe.schedule.last_layer_epochs
    push_prototypes(model, loader)
    first = copy.deepcopy(model.state_dict())
    penalty = solver.penalty(model.head)
    with score_images(model, loader) as scored:
        loss = solver.loss(model.head, scored)

    def objective():
        weight = model.head.last_layer.weight.detach().double()
        return (loss.everywhere(weight)[0] + penalty(weight)).item()

    def train():
        staged = build_optim_wrapper(model, recipe)
        staged.activate('last_layer', model, iterations=epochs * len(loader))
        for _ in range(epochs):
            model.train()
            for data in loader:
                model.train_step(data, staged)

    seconds = {}
    for name, function in (('solver', lambda: solver(model, loader)), (f'{epochs} epochs', train)):
        model.load_state_dict(first)
        model.eval()
        start = time.perf_counter()
        function()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds[f'{name}, objective {objective():.4f}'] = time.perf_counter() - start
    model.load_state_dict(first)
    return seconds


def time_explanations(args, model, dataset, folder):
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(args.size, args.size)),
        dict(type='PackInputs'),
    ]
    nothing = dict(type='CustomDataset', data_root=str(folder / 'none'), pipeline=pipeline)
    model._config = Config(dict(test_dataloader=dict(dataset=nothing)))
    model._dataset_meta = dataset.metainfo
    nearest = push_prototypes(model, in_order(args, dataset))
    write_prototypes(model, nearest, dataset, folder / 'prototypes')
    files = [str(folder / f'{number}.jpg') for number in range(EXPLAINED)]
    for number, file in enumerate(files):
        image = dataset[number % len(dataset)]['inputs'].permute(1, 2, 0).numpy()
        cv2.imwrite(file, cv2.blur(image, (9, 9)))
    predict = ImageClassificationInferencer(model)
    explain = ProtoPNetInferencer(model, prototypes=folder / 'prototypes')
    batch = dict(batch_size=args.batch_size)
    explain(files, out_dir=folder / 'written', **batch)
    sheets = [Image.open(file) for file in sorted((folder / 'written').glob('*.png'))]
    for sheet in sheets:
        sheet.load()

    def predict_and_write():
        predict(files, **batch)
        for number, sheet in enumerate(sheets):
            sheet.save(folder / f'{number}.png', compress_level=1)

    return time_in_turn(
        {
            'predict, write as much': predict_and_write,
            'predict': lambda: predict(files, **batch),
            'explain': lambda: explain(files, **batch),
            'explain and write': lambda: explain(files, out_dir=folder / 'written', **batch),
        },
        args.repeats,
    )


def main():
    args = parse_args()
    init_default_scope('mmpretrain')
    MMLogger.get_current_instance().setLevel('WARNING')
    torch.manual_seed(0)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    classes = args.prototypes // PER_CLASS
    if args.images < classes:
        raise InputError(f'--images {args.images} is fewer than the {classes} classes')
    dataset = RandomImages(args.images, classes, args.size)
    model = build(
        args,
        'ProtoPNet',
        neck=dict(type='ProtoPNetAddOn', out_channels=args.channels),
        head=dict(
            type='ProtoPNetHead',
            num_classes=classes,
            in_channels=args.channels,
            prototypes_per_class=PER_CLASS,
        ),
        device=device,
    )
    baseline = build(
        args,
        'LinearClassifier',
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=classes),
        device=device,
    )
    print(
        f'{args.backbone} at {args.size} px, {args.prototypes} prototypes of {args.channels} '
        f'channels, batches of {args.batch_size}, {device}, {torch.get_num_threads()} threads'
    )
    report(f'A push over {args.images} images', time_push(args, model, dataset))
    report('A training step', time_steps(args, model, baseline, dataset))
    report(f'The last layer on {args.images} images', time_last_layer(args, model, dataset))
    with tempfile.TemporaryDirectory() as folder:
        seconds = time_explanations(args, model, dataset, Path(folder))
    report(f'Explaining {EXPLAINED} images', seconds)


if __name__ == '__main__':
    with one_line_errors():
        main()
