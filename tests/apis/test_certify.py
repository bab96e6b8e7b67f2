import json

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS

from mmproto.apis.certify import certify_checkpoints
from mmproto.errors import InputError
from mmproto.visualization.certificate_table import certificate_table
from tests.toy import loader, model_config, train_config

IMAGES = 10


@pytest.fixture
def config(tmp_path):
    def config(test_dataloader=None, **head):
        data = test_dataloader or loader(seed=2, count=IMAGES)
        test = dict(test_dataloader=data, test_cfg=dict(), test_evaluator=dict(type='Accuracy'))
        return Config(train_config(tmp_path, model=model_config(**head), **test))

    return config


@pytest.fixture
def saved(tmp_path):
    """Saves a model of random weights with some of its entries changed."""
    init_default_scope('mmpretrain')

    def saved(name, change=None, prune=None, **head):
        torch.manual_seed(0)
        model = MODELS.build(model_config(**head))
        torch.nn.init.normal_(model.head.last_layer.weight)
        if prune is not None:
            model.head.prune(prune)
        state = model.state_dict()
        if change is not None:
            entry, step = change
            state[entry] = state[entry] + step
        file = tmp_path / name
        torch.save(dict(state_dict=state, meta={}), file)
        return str(file)

    return saved


PROTOTYPES = 'head.prototype_vectors'


def test_moved_prototypes_are_certified(config, saved):
    before, after = saved('before.pth'), saved('after.pth', (PROTOTYPES, 0.01))
    certification = certify_checkpoints(config(), before, after)
    effect, counted = certification.effect, certification.certificate
    length = (6 * 0.01**2) ** 0.5
    assert certification.moves.tolist() == pytest.approx([length] * 6, rel=1e-4)
    assert not certification.other_last_layer
    assert counted.images == IMAGES
    assert 0 < counted.by_moves <= counted.certified <= counted.unchanged
    held = effect.radius > length * (1 + 1e-4)
    assert torch.equal(effect.by_moves, held)
    data = json.loads(json.dumps(certification.to_json(), allow_nan=False))
    assert len(data['images']) == IMAGES
    assert sum(image['certified'] for image in data['images']) == counted.certified
    assert data['images'][3]['radius'] == effect.radius[3].item()
    assert data['images'][3]['assumptions']['A3']
    assert data['certificate']['assumptions']['A3'] == IMAGES

    lines = certificate_table(effect, certification.moves).splitlines()
    (line,) = [line for line in lines if line.startswith('certified, following')]
    assert line.split()[-3:] == [
        str(counted.certified), f'{100 * counted.certified / IMAGES:.1f}', '%'
    ]  # fmt: skip
    (line,) = [line for line in lines if line.startswith('all prototypes may move')]
    assert float(line.split()[-5]) == pytest.approx(effect.radius.min().item(), abs=1e-4)
    assert float(line.split()[-1]) == pytest.approx(effect.radius.max().item(), abs=1e-4)


def test_another_last_layer_is_not_taken(config, saved):
    before, after = saved('before.pth'), saved('after.pth', ('head.last_layer.weight', -9.0))
    certification = certify_checkpoints(config(), before, after)
    assert certification.other_last_layer
    assert certification.certificate.certified == IMAGES  # no prototype has moved
    assert bool(certification.effect.unchanged.all())


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(change=('backbone.bn.running_mean', 1.0)), r'\(backbone; backbone.bn.running_mean'),
        (dict(change=('neck.add_on_layers.0.weight', 1.0)), r'\(neck; neck.add_on_layers.0'),
        (dict(prune=torch.arange(6) > 0), 'has 6 prototypes and .*after.pth has 5'),
    ],
)
def test_other_networks_are_refused(config, saved, changes, message):
    with pytest.raises(InputError, match=message):
        certify_checkpoints(config(), saved('before.pth'), saved('after.pth', **changes))


def test_a_similarity_without_a_metric_is_refused(config, saved):
    head = dict(similarity=dict(type='ManhattanSimilarity'))
    with pytest.raises(InputError, match='ManhattanSimilarity names no metric'):
        certify_checkpoints(config(**head), saved('a.pth', **head), saved('b.pth', **head))


def test_the_test_set_has_to_be_there_and_of_these_classes(config, saved):
    one = saved('one.pth')
    with pytest.raises(InputError, match=r'test_dataloader.* has the label 3'):
        certify_checkpoints(config(loader(num_classes=4)), one, one)
    nothing = config()
    for name in ('test_dataloader', 'test_cfg', 'test_evaluator'):
        nothing[name] = None
    with pytest.raises(InputError, match='the config has no test_dataloader'):
        certify_checkpoints(nothing, one, one)
