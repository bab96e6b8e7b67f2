"""A push, the end of a training, and explanations, each beside a plain one."""

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpretrain import ImageClassificationInferencer
from PIL import Image

from mmproto.apis.benchmark.cost import seconds_of, time_in_turn
from mmproto.apis.benchmark.networks import RandomImages
from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.engine.push import push_prototypes
from mmproto.engine.solvers import SparseLastLayer
from mmproto.engine.solvers.score_pass import score_images
from mmproto.models import ProtoPNet
from mmproto.visualization.prototype_files import write_prototypes

EXPLAINED = 100


def push(
    model: ProtoPNet, dataset: RandomImages, batch_size: int, repeats: int, folder: Path
) -> dict[str, float]:
    """Seconds of a push, beside a forward pass of the bare backbone over the same images."""
    loader = dataset.loader(batch_size)

    @torch.no_grad()
    def forward() -> None:
        model.eval()
        for data in loader:
            model.backbone(model.data_preprocessor(data)['inputs'])

    return time_in_turn(
        {
            'bare forward pass': forward,
            'push': lambda: push_prototypes(model, loader),
            # Into a new folder, as a training's pushes are.
            'push and draw': lambda: write_prototypes(
                model, push_prototypes(model, loader), dataset, Path(tempfile.mkdtemp(dir=folder))
            ),
        },
        repeats,
    )


def last_layer(
    model: ProtoPNet, recipe: Any, dataset: RandomImages, batch_size: int
) -> dict[str, float]:
    """Seconds of solving the last layer, beside training it as ``recipe`` says; once each.

    From the same weights; the objectives in the names are those of the solver's problem.
    """
    loader, solver = dataset.loader(batch_size), SparseLastLayer()
    epochs = recipe.schedule.last_layer_epochs
    push_prototypes(model, loader)
    first = copy.deepcopy(model.state_dict())
    penalty = solver.penalty(model.head)
    with score_images(model, loader) as scored:
        loss = solver.loss(model.head, scored)

    def objective() -> float:
        weight = model.head.last_layer_weight.double()
        return float(loss.everywhere(weight)[0] + penalty(weight))

    def train() -> None:
        staged = build_optim_wrapper(model, recipe)
        staged.activate('last_layer', model, iterations=epochs * len(loader))
        for _ in range(epochs):
            model.train()
            for data in loader:
                model.train_step(data, staged)

    functions: dict[str, Callable] = {
        'solver': lambda: solver(model, loader),
        f'{epochs} epochs': train,
    }
    seconds = {}
    for name, function in functions.items():
        model.load_state_dict(first)
        model.eval()
        taken = seconds_of(function)
        seconds[f'{name}, objective {objective():.4f}'] = taken
    model.load_state_dict(first)
    return seconds


def explanations(
    model: ProtoPNet, dataset: RandomImages, batch_size: int, repeats: int, folder: Path
) -> dict[str, float]:
    """Seconds of explaining images, at most ``EXPLAINED``, beside plain ones.

    MMPretrain's inferencer predicts; to write as much, the same sheets are written.
    """
    size = dataset.images.shape[-1]
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(size, size)),
        dict(type='PackInputs'),
    ]
    nothing = dict(type='CustomDataset', data_root=str(folder / 'none'), pipeline=pipeline)
    model._config = Config(dict(test_dataloader=dict(dataset=nothing)))
    model._dataset_meta = dataset.metainfo
    nearest = push_prototypes(model, dataset.loader(batch_size))
    write_prototypes(model, nearest, dataset, folder / 'prototypes')
    files = [str(folder / f'{number}.jpg') for number in range(min(EXPLAINED, len(dataset)))]
    for number, file in enumerate(files):
        image = dataset[number]['inputs'].permute(1, 2, 0).numpy()
        cv2.imwrite(file, cv2.blur(image, (9, 9)))
    predict = ImageClassificationInferencer(model)
    explain = ProtoPNetInferencer(model, prototypes=folder / 'prototypes')
    explain(files, out_dir=folder / 'written', batch_size=batch_size)
    sheets = [Image.open(file) for file in sorted((folder / 'written').glob('*.png'))]
    for sheet in sheets:
        sheet.load()

    def predict_and_write() -> None:
        predict(files, batch_size=batch_size)
        for number, sheet in enumerate(sheets):
            sheet.save(folder / f'{number}.png', compress_level=1)

    return time_in_turn(
        {
            'predict, write as much': predict_and_write,
            'predict': lambda: predict(files, batch_size=batch_size),
            'explain': lambda: explain(files, batch_size=batch_size),
            'explain and write': lambda: explain(
                files, out_dir=folder / 'written', batch_size=batch_size
            ),
        },
        repeats,
    )
