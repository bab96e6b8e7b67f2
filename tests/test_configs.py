"""Every leaf config loads, and its model, data and schedule fit each other."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain.apis import ModelHub
from mmpretrain.registry import MODELS
from PIL import Image

from mmproto.engine import build_schedule, build_stages
from mmproto.models import CosineSimilarity
from mmproto.models.backbones.network_input import input_of_config

CONFIGS = Path(__file__).parents[1] / 'configs'
LEAVES = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.glob('*/*.py')
    if path.parent.name != '_base_'
)
CUB = ('vgg16', 'vgg19', 'resnet34', 'resnet152', 'densenet121', 'densenet161')
TABLE = [
    *(f'{backbone}_cub.py' for backbone in CUB),
    *(f'{backbone}_cub_full.py' for backbone in ('vgg19', 'densenet121', 'densenet161')),
    *(f'{backbone}_cars.py' for backbone in ('vgg19', 'resnet34', 'densenet121')),
]
MMPRETRAIN = 'protopnet/resnet50_mmpretrain_folder.py'
NUM_CLASSES = dict(cub=200, cub_full=200, cars=196, birds=12)


@pytest.fixture(autouse=True)
def images(tmp_path, monkeypatch):
    """What the configs for images of one's own count the classes of: five here."""
    for name in 'abcde':
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.new('L', (9, 7)).save(tmp_path / name / f'{i}.png')
    monkeypatch.setenv('DATA_ROOT', str(tmp_path))


def load(leaf):
    return Config.fromfile(CONFIGS / leaf)


def data_of(leaf):
    """'cub' of 'protopnet/vgg19_cub.py'."""
    return Path(leaf).stem.split('_', 1)[1]


def test_the_table_is_complete_with_its_baselines():
    assert {f'{kind}/{name}' for kind in ('protopnet', 'baseline') for name in TABLE} <= {*LEAVES}


@pytest.mark.parametrize('leaf', [leaf for leaf in LEAVES if data_of(leaf) in NUM_CLASSES])
def test_classes_and_data_fit_the_name(leaf):
    cfg = load(leaf)
    data = data_of(leaf)
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes == NUM_CLASSES[data]
    train = cfg.train_dataloader.dataset.dataset
    sets = [train, *(cfg[f'{name}_dataloader'].dataset for name in ('push', 'val', 'test'))]
    assert [part.split for part in sets] == ['train', 'train', 'test', 'test']
    for part in sets:
        assert part.type == ('AnnotatedCars' if data == 'cars' else 'AnnotatedCUB')
        assert part.data_root == sets[0].data_root
        steps = [step.type for step in part.pipeline]
        assert ('CropToBox' in steps) == (data != 'cub_full')


@pytest.mark.parametrize('leaf', ['protopnet/resnet34_folder.py', 'baseline/resnet34_folder.py'])
def test_images_of_ones_own_say_how_many_classes_there_are(leaf, tmp_path):
    cfg = load(leaf)
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes == 5
    train = cfg.train_dataloader.dataset.dataset
    sets = [train, *(cfg[f'{name}_dataloader'].dataset for name in ('push', 'val', 'test'))]
    assert [part.split for part in sets] == ['train', 'train', 'val', 'test']
    for part in sets:
        assert (part.type, part.data_root) == ('FolderDataset', str(tmp_path))
        assert (part.val_share, part.seed) == (0.2, 0)
        assert part.pipeline[0].type == 'LoadPicture'


def test_a_backbone_of_mmpretrain_has_the_weights_of_its_zoo():
    cfg = load(MMPRETRAIN)
    model = MODELS.build(cfg.model)  # weights are fetched when training starts, not here
    assert model.neck.add_on_layers[0].in_channels == 2048
    feats = model.extract_feat(torch.zeros(1, 3, 64, 64))
    assert feats[-1].shape == (1, 128, 2, 2)
    init = cfg.model.backbone.init_cfg
    assert init.checkpoint == ModelHub.get('resnet50_8xb32_in1k').weights
    assert init.prefix == 'backbone'


@pytest.mark.parametrize('leaf', [leaf for leaf in LEAVES if leaf != MMPRETRAIN])
def test_the_model_builds_and_its_parts_agree(leaf):
    cfg = load(leaf)
    cfg.model.backbone.pretrained = False
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    channels = model.backbone.timm_model.feature_info.channels()[-1]
    if 'baseline' in leaf:
        assert model.head.fc.weight.shape == (cfg.model.head.num_classes, channels)
        return
    assert model.neck.add_on_layers[0].in_channels == channels
    last = [one for one in model.neck.add_on_layers if isinstance(one, torch.nn.Conv2d)][-1]
    assert last.out_channels == model.head.prototype_vectors.shape[1]
    assert len(model.head.prototype_vectors) == (
        cfg.model.head.num_classes * cfg.model.head.prototypes_per_class
    )


@pytest.mark.parametrize('name', TABLE)
def test_the_settings_are_the_papers(name):
    cfg = load(f'protopnet/{name}')
    head, loss = cfg.model.head, cfg.model.head.loss
    assert (head.prototypes_per_class, head.prototype_size, head.similarity) == (10, 1, 'log')
    assert head.in_channels == (256 if name.startswith('resnet34') else 128)
    assert {name: loss[name].weight for name in loss if name != 'type'} == dict(
        cls=1, cluster=0.8, separation=0.08, l1=1e-4
    )
    assert cfg.train_dataloader.dataset.times == 30
    assert cfg.train_dataloader.batch_size == 80
    assert cfg.test_pipeline[-2].scale == (224, 224)
    network = input_of_config(cfg.model.backbone)
    assert network.mean == (123.675, 116.28, 103.53)
    assert network.std == (58.395, 57.12, 57.375)
    stages = build_stages(cfg.optim_wrapper.stages)
    assert build_schedule(cfg.optim_wrapper.schedule, stages, True).total_epochs == 91


@pytest.mark.parametrize('name', ['resnet10t_birds.py', 'resnet34_folder.py'])
def test_where_the_setting_is_not_the_papers_the_last_layer_is_solved(name):
    network = load(f'protopnet/{name}')
    stages = build_stages(network.optim_wrapper.stages)
    assert stages['last_layer'].solver.type == 'SparseLastLayer'
    schedule = build_schedule(network.optim_wrapper.schedule, stages, True)
    assert all(schedule.solvers_after(epoch) == ('last_layer',) for epoch in schedule.pushes)
    assert schedule.ends_with_patches


@pytest.mark.parametrize('name', sorted({leaf.split('/')[1] for leaf in LEAVES if 'base' in leaf}))
def test_a_baseline_sees_what_its_network_sees(name):
    network, baseline = load(f'protopnet/{name}'), load(f'baseline/{name}')
    assert baseline.model.backbone == network.model.backbone
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader', 'data_preprocessor'):
        assert baseline[key] == network[key]


def test_the_demo_compares_angles_and_the_paper_distances():
    demo, paper = (load(f'protopnet/resnet10t{name}birds.py') for name in ('_', '_paper_'))
    head = MODELS.build(demo.model).head
    assert isinstance(head.similarity, CosineSimilarity)
    weights = {name: term.weight for name, term in head.loss_module.terms.items()}
    assert weights == dict(cls=1, cluster=8, separation=0.8, l1=1e-4)
    del demo.model.head.loss
    assert demo.model.head.pop('similarity') == 'cosine'
    assert paper.model.head.pop('similarity') == 'log'
    assert {**paper.model.to_dict(), 'head': None} == {**demo.model.to_dict(), 'head': None}
    stages = paper.optim_wrapper.stages
    assert stages.last_layer.last_layer.lr == 1e-4  # trained, not solved
    steps = [
        [step.type for step in cfg.train_dataloader.dataset.dataset.pipeline]
        for cfg in (demo, paper)
    ]
    assert [step for step in steps[0] if step != 'ColorJitter'] == steps[1]
