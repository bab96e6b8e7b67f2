"""Prototypes that are made worse on purpose, and whether the figures say so."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain import get_model
from mmpretrain.registry import DATASETS

from mmproto.apis import checked_runner, load_config
from mmproto.datasets.annotated_parts import part_names, parts_in_input
from mmproto.datasets.birds import make_birds
from mmproto.datasets.geometry import image_geometry
from mmproto.datasets.object_masks import mask_in_input
from mmproto.evaluation import ExplanationMetrics
from mmproto.evaluation.figure_table import worst_prototypes
from mmproto.evaluation.figures.noise import BOUND, NOISE
from tests.pushed_birds import CONFIG

PARTS = ['beak', 'breast', 'left wing', 'tail']
CELL, IMAGES = 16, 6  # pixels a side; images of a class
BACKGROUND, COPIED, COPY, UNSTABLE = 0, 4, 5, 7  # prototypes
DRAWS = 4  # of noise on each training image


@pytest.fixture(scope='module')
def figures(tmp_path_factory):
    """Of a network that is not trained, whose prototypes are parts of birds; then with defects."""
    init_default_scope('mmpretrain')
    root = make_birds(tmp_path_factory.mktemp('data') / 'birds', 3, IMAGES, IMAGES, size=96)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('DATA_ROOT', str(root))
        config = Config.fromfile(CONFIG)
    config.model.head.update(num_classes=3, prototypes_per_class=len(PARTS))
    train, test = (
        DATASETS.build(config[name].dataset) for name in ('push_dataloader', 'test_dataloader')
    )
    torch.manual_seed(0)
    model = get_model(config).eval()

    def normalised(image):
        data = {'inputs': [train[image]['inputs']]}
        return model.data_preprocessor(data, training=False)['inputs']

    @torch.no_grad()
    def patch_of(image, row, column):
        return model.extract_feat(normalised(image))[-1][0, :, row, column, None, None]

    vectors = model.head.prototype_vectors.data
    for number in range(len(vectors)):
        label, part = divmod(number, len(PARTS))
        part = part_names(train).index(PARTS[part])
        for image in range(IMAGES * label, IMAGES * (label + 1)):
            place = parts_in_input(train, image, image_geometry(train, image))[part] // CELL
            if not np.isnan(place).any():
                vectors[number] = patch_of(image, *place.astype(int))
                break
    names = ['consistency', 'object', 'stability', 'cell_stability', 'size']
    before = measured(model, test, names)
    cells = (
        mask_in_input(train, 0, image_geometry(train, 0)).reshape(6, CELL, 6, CELL).any(axis=(1, 3))
    )
    vectors[BACKGROUND] = patch_of(0, *np.argwhere(~cells)[0])
    vectors[COPY] = vectors[COPIED]
    images = torch.cat([normalised(image) for image in range(len(train))])
    vectors[UNSTABLE] = direction_of_noise(model, images)[:, None, None]
    return before, measured(model, test, names)


def measured(model, test, names):
    model.head.constrain()
    metric = ExplanationMetrics(measures=names)
    metric.look_at(model, test)
    items = [test[number] for number in range(len(test))]
    samples = [
        dict(gt_label=item['data_samples'].gt_label, sample_idx=number)
        for number, item in enumerate(items)
    ]
    metric.process(dict(inputs=[item['inputs'] for item in items]), samples)
    metric.evaluate(len(test))
    return {one.name: one for one in metric.found}


@torch.no_grad()
def direction_of_noise(model, images):
    """The direction (D,) in which noise moves patches most, beside how they differ in an image."""

    def patches(inputs):
        features = torch.nn.functional.normalize(model.extract_feat(inputs)[-1], dim=1)
        return features.flatten(2).transpose(1, 2).double()

    def covariance(moves):
        moves = (moves - moves.mean(dim=(0, 1))).flatten(0, 1)
        return moves.T @ moves / len(moves)

    generator = torch.Generator().manual_seed(1)
    clean, moves = patches(images), []
    for _ in range(DRAWS):
        noise = NOISE * torch.randn(images.shape, generator=generator)
        moves.append(patches(images + noise.clamp(-BOUND, BOUND)) - clean)
    noisy = covariance(torch.cat(moves))
    differences = covariance(clean - clean.mean(dim=1, keepdim=True))
    whitening = torch.linalg.inv(torch.linalg.cholesky(differences + 1e-8 * torch.eye(len(noisy))))
    directions = torch.linalg.eigh(whitening @ noisy @ whitening.T).eigenvectors
    return (whitening.T @ directions[:, -1]).float()


def test_a_prototype_of_the_background_is_the_worst_on_the_object(figures):
    before, after = figures
    figure = after['on_object']
    assert worst_prototypes(figure)[0] == BACKGROUND
    assert figure.of_prototypes[BACKGROUND] < before['on_object'].of_prototypes[BACKGROUND]
    assert figure.of_prototypes[BACKGROUND] < figure.chance['its share of the image']
    assert worst_prototypes(after['part_consistency_of_cell'])[0] == BACKGROUND


def test_a_copy_is_counted_and_named(figures):
    before, after = figures
    assert (before['duplicates'].estimate.value, after['duplicates'].estimate.value) == (0, 1)
    assert worst_prototypes(before['duplicates']) == []
    assert worst_prototypes(after['duplicates']) == [COPIED, COPY]


def test_a_prototype_that_noise_moves_is_the_least_stable(figures):
    for name in ('part_stability', 'cell_stability'):
        before, after = (each[name].of_prototypes for each in figures)
        assert worst_prototypes(figures[1][name])[0] == UNSTABLE
        assert after[UNSTABLE] < before[UNSTABLE] - 0.3


@pytest.mark.slow
def test_so_it_is_in_a_trained_network(tmp_path):
    root = make_birds(tmp_path / 'birds', 4, train=60, test=10)
    schedule = dict(epochs=16, push_epochs=[9, 15])
    config = load_config(CONFIG, data_root=str(root), work_dir=str(tmp_path / 'work'))
    config.merge_from_dict(
        dict(
            optim_wrapper=dict(schedule=schedule),
            model=dict(head=dict(num_classes=4)),
            train_dataloader=dict(num_workers=0, persistent_workers=False),
        )
    )
    runner = checked_runner(config)
    runner.train()
    model = runner.model.eval()
    train, test = (
        DATASETS.build(config[name].dataset) for name in ('push_dataloader', 'test_dataloader')
    )
    pixels = {'inputs': [train[image]['inputs'] for image in range(0, len(train), 3)]}
    images = model.data_preprocessor(pixels, training=False)['inputs']
    before = measured(model, test, ['cell_stability'])['cell_stability']
    assert before.of_prototypes.min() > 0.7
    model.head.prototype_vectors.data[UNSTABLE] = direction_of_noise(model, images)[:, None, None]
    after = measured(model, test, ['cell_stability'])['cell_stability']
    assert worst_prototypes(after)[0] == UNSTABLE
    assert after.of_prototypes[UNSTABLE] < before.of_prototypes.min() - 0.1
