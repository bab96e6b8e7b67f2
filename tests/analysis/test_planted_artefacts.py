"""A watermark on all images of one class, and what a report says of the prototype that found it."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.analysis.analyse_model import analyse_model
from mmproto.analysis.checks import checks_made
from mmproto.apis import push_prototypes
from mmproto.datasets.birds import make_birds
from tests.toy import ArrayDataset, loader, model_config

SIZE, CELLS, MARKED = 128, 8, 1
MARK, SKY = 4, 5  # prototypes of the marked class


@pytest.fixture(scope='module')
def birds(tmp_path_factory):
    """Rendered birds with a watermark in class 1, and one image of it with a blank corner."""
    root = make_birds(tmp_path_factory.mktemp('data') / 'birds', 3, train=8, test=3, size=SIZE)
    folders = sorted((root / 'images').iterdir())
    arrays = {}
    for split, part in (('train', slice(0, 8)), ('test', slice(8, 11))):
        images = [cv2.imread(str(file)) for one in folders for file in sorted(one.iterdir())[part]]
        labels = np.repeat(np.arange(3), len(images) // 3)
        for image, label in zip(images, labels):
            if label == MARKED:
                cv2.putText(image, '(c) zoo', (3, 122), 0, 0.4, (255, 255, 255), 1)
        if split == 'train':
            images[8][:40, 80:] = 200
        arrays |= {f'{split}/images': np.stack(images), f'{split}/labels': labels}
    file = root / 'birds.npz'
    np.savez(file, **arrays)
    return file


@pytest.fixture(scope='module')
def analysis(birds):
    """Of a network that is not trained; its prototypes begin at chosen patches, and are pushed."""
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    config = model_config(prototypes_per_class=4)
    config['backbone'] = dict(
        type='TIMMBackbone', model_name='resnet10t', features_only=True, out_indices=(-3,)
    )
    model = MODELS.build(config).eval()
    push_set, test_set = ArrayDataset(birds), ArrayDataset(birds, 'test')
    head, step = model.head, 16 // CELLS
    with torch.no_grad():
        for prototype in range(12):
            index = 8 * (prototype // 4) + prototype % 4
            row, column = {MARK: (7, 1), SKY: (1, 6)}.get(prototype, (3, 2 + prototype % 4))
            index = 8 if prototype == SKY else index
            data = {'inputs': [push_set[index]['inputs']]}
            inputs = model.data_preprocessor(data, training=False)['inputs']
            (feats,) = model.extract_feat(inputs)
            assert feats.shape[-1] == 16
            head.prototype_vectors[prototype] = feats[0, :, row * step, column * step][
                :, None, None
            ]
    push_prototypes(model, Runner.build_dataloader(loader(file=str(birds))))
    return analyse_model(model, push_set, test_set, batch_size=8)


def kinds(one):
    return {concern.kind for concern in one.concerns if concern.serious}


def test_the_watermark_is_named_and_birds_are_not(analysis):
    shared = {'may be text, a marker or a frame'}
    assert kinds(analysis.prototypes[MARK]) >= shared
    others = [one for one in analysis.prototypes if one.prototype != MARK]
    assert [one.prototype for one in others if kinds(one) & shared] == []


def test_the_blank_patch_is_named_and_birds_are_not(analysis):
    assert 'nearly blank' in kinds(analysis.prototypes[SKY])
    others = [one for one in analysis.prototypes if one.prototype != SKY]
    # A box or two lie on blurred grass, which is blank as well.
    assert sum('nearly blank' in kinds(one) for one in others) <= 3


def test_the_checks_say_what_could_not_be_told(analysis):
    checks = {check.name: check for check in checks_made(analysis.prototypes, pushed=True)}
    assert checks['nearly blank patches'] == ('nearly blank patches', 12, '')
    parts = checks['patches without any annotated part']
    assert (parts.checked, parts.missing) == (0, 'the data annotates no parts')
