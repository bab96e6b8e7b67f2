"""A few rendered birds, their config, and pushed models of them."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, save_checkpoint
from mmpretrain import get_model

from mmproto.datasets.birds import make_birds
from tests.pushing import push_to

CONFIG = Path(__file__).parents[1] / 'configs/protopnet/resnet10t_birds.py'
WICKED = [
    '</script><script>alert(1)</script>',
    '"><img src=x onerror=alert(2)>',
    '\'quoted\' & <b>"twice"</b>',
    '<!--<script>',
]


@pytest.fixture(scope='module', name='birds')
def birds_fixture(tmp_path_factory):
    return make_birds(tmp_path_factory.mktemp('data') / 'birds', train=2, test=1, size=64)


@pytest.fixture(scope='module', name='config')
def config_fixture(birds):
    init_default_scope('mmpretrain')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('DATA_ROOT', str(birds))
        cfg = Config.fromfile(CONFIG)
    for name in ('push_dataloader', 'test_dataloader'):
        cfg[name].update(num_workers=0)
    return cfg


@pytest.fixture(scope='module', name='checkpoint')
def checkpoint_fixture(config, tmp_path_factory):
    """The checkpoint of a model some of whose classes and prototypes have wicked names."""
    torch.manual_seed(0)
    return push_and_save(get_model(config), config, tmp_path_factory.mktemp('work'), WICKED)


def push_and_save(model, config, folder, names=()):
    """What a training would leave, with the images of the push.

    The first classes, and the first prototypes, get these names.
    """
    model.head.name_prototypes(dict(enumerate(names)))
    dataloader = Runner.build_dataloader(config.push_dataloader)
    push_to(folder / 'prototypes' / 'epoch_1', model, dataloader, epoch=1)
    classes = [*names, *dataloader.dataset.metainfo['classes'][len(names) :]]
    meta = dict(dataset_meta=dict(classes=classes))
    save_checkpoint(dict(meta=meta, state_dict=model.state_dict()), str(folder / 'epoch_1.pth'))
    return folder / 'epoch_1.pth'
