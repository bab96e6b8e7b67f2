"""The reference's networks are torchvision's; its scores are computed by a plain loop here."""

import subprocess
import sys
from collections import OrderedDict
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torchvision
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from mmpretrain import get_model
from mmpretrain.registry import MODELS
from torch import nn

from mmproto.apis.import_reference import (
    BACKBONES,
    import_reference,
    load_state_dict,
    model_config,
    our_name,
    prototype_classes,
)
from mmproto.errors import InputError

ROOT = Path(__file__).parents[2]
CLASSES, PER_CLASS, CHANNELS = 3, 2, 16
COUNT = CLASSES * PER_CLASS


def reference_features(backbone):
    """A network of the reference, by the reference's names of its weights."""
    network = torchvision.models.get_model(backbone, weights=None)
    if backbone.startswith('resnet'):
        # without the pooling and the classifier
        return nn.Sequential(OrderedDict(list(network.named_children())[:-2]))
    if backbone.startswith('densenet'):
        network.features.add_module('final_relu', nn.ReLU())
    return nn.Sequential(OrderedDict(features=network.features))


def add_on_layers(in_channels, bottleneck):
    widths = [in_channels, CHANNELS]
    while bottleneck and widths[-2] // 2 > CHANNELS:
        widths.insert(-1, widths[-2] // 2)
    layers = []
    for wide, narrow in pairwise(widths):
        layers += [nn.Conv2d(wide, narrow, 1), nn.ReLU(), nn.Conv2d(narrow, narrow, 1), nn.ReLU()]
    return nn.Sequential(*layers[:-1], nn.Sigmoid())


class Reference(nn.Module):
    """A random model under the reference's names."""

    def __init__(self, backbone, bottleneck=False, size=1):
        super().__init__()
        self.features = reference_features(backbone)
        images = torch.rand(4, 3, 64, 64)
        self.features(images)  # gives the batch norms some statistics
        in_channels = self.features.eval()(images).shape[1]
        self.add_on_layers = add_on_layers(in_channels, bottleneck)
        self.prototype_vectors = nn.Parameter(torch.rand(COUNT, CHANNELS, size, size))
        self.ones = nn.Parameter(torch.ones(COUNT, CHANNELS, size, size))
        self.last_layer = nn.Linear(COUNT, CLASSES, bias=False)
        own = torch.arange(CLASSES)[:, None] == torch.arange(COUNT) // PER_CLASS
        self.last_layer.weight.data = torch.where(own, 1, -0.5) + 0.1 * torch.rand(CLASSES, COUNT)
        self.eval()

    @torch.no_grad()
    def logits(self, images, similarity='log'):
        maps = self.add_on_layers(self.features(images))
        size = self.prototype_vectors.shape[-1]
        scores = torch.zeros(len(images), COUNT)
        for n, z in enumerate(maps):
            for j, prototype in enumerate(self.prototype_vectors):
                distance = min(
                    float(((z[:, i : i + size, k : k + size] - prototype) ** 2).sum())
                    for i in range(z.shape[1] - size + 1)
                    for k in range(z.shape[2] - size + 1)
                )
                d = torch.tensor(distance)
                scores[n, j] = -d if similarity == 'linear' else torch.log((d + 1) / (d + 1e-4))
        return scores @ self.last_layer.weight.T


@pytest.fixture(scope='module')
def resnet18():
    torch.manual_seed(0)
    return Reference('resnet18')


@pytest.mark.parametrize(
    ('backbone', 'options', 'similarity'),
    [
        ('vgg11', {}, 'log'),
        ('vgg11_bn', dict(bottleneck=True), 'log'),
        ('resnet18', dict(size=2), 'log'),
        ('resnet50', dict(bottleneck=True), 'linear'),
        ('densenet121', {}, 'log'),
    ],
)
def test_the_logits_are_those_of_the_reference(backbone, options, similarity):
    torch.manual_seed(0)
    reference = Reference(backbone, **options)
    images = torch.rand(2, 3, 64, 64)
    config, state = import_reference(reference.state_dict(), backbone, similarity)
    model = MODELS.build(config)
    model.load_state_dict(state)
    model.eval()
    with torch.no_grad():
        logits = model(images)
    expected = reference.logits(images, similarity)
    assert expected.std() > 0.01
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
    assert config['neck']['kind'] == ('bottleneck' if options.get('bottleneck') else 'regular')
    assert state['head.prototype_class'].tolist() == [0, 0, 1, 1, 2, 2]
    assert not state['head.prototypes_are_patches']
    assert (state['head.prototype_image'] == -1).all()


@pytest.mark.parametrize('backbone', BACKBONES)
def test_every_backbone_of_the_reference_has_its_names_in_timm(backbone):
    with torch.device('meta'):
        network = reference_features(backbone)
        config = dict(type='TIMMBackbone', model_name=backbone, features_only=True)
        ours = MODELS.build(dict(**config, out_indices=(-1,))).state_dict()
    given = {
        our_name(f'features.{name}', BACKBONES[backbone]).removeprefix('backbone.'): value.shape
        for name, value in network.state_dict().items()
    }
    assert given == {name: value.shape for name, value in ours.items()}


def test_prototypes_left_by_pruning_take_the_class_of_their_strongest_connection(resnet18):
    state = resnet18.state_dict()
    keep = [0, 1, 2, 4]
    for name in ('prototype_vectors', 'ones'):
        state[name] = state[name][keep]
    state['last_layer.weight'] = state['last_layer.weight'][:, keep]
    config, ours = import_reference(state, 'resnet18')
    assert config['head']['prototypes_per_class'] is None
    model = MODELS.build(config)
    model.load_state_dict(ours)
    assert model.head.prototype_class.tolist() == [0, 0, 1, 2]


def test_a_count_that_happens_to_divide_does_not_hide_pruning():
    left = torch.tensor([0] * 4 + [1] * 2)
    weight = torch.where(torch.arange(2)[:, None] == left, 1, -0.5)
    classes, pruned = prototype_classes(weight)
    assert pruned
    assert torch.equal(classes, left)


def test_a_data_parallel_model_is_taken_too(resnet18, tmp_path):
    torch.save(nn.DataParallel(resnet18).state_dict(), tmp_path / 'in.pth')
    state = load_state_dict(tmp_path / 'in.pth')
    assert state.keys() == resnet18.state_dict().keys()


class Trap:
    """Makes a file as soon as it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickled_module_is_refused_and_not_unpickled(tmp_path):
    sprung = tmp_path / 'sprung'
    torch.save(dict(model=Trap(sprung)), tmp_path / 'in.pth')
    with pytest.raises(InputError, match=r'\.state_dict\(\), OUT\)'):
        load_state_dict(tmp_path / 'in.pth')
    assert not sprung.exists()


def test_a_whole_module_is_refused(resnet18, tmp_path):
    torch.save(resnet18.last_layer, tmp_path / 'in.pth')
    with pytest.raises(InputError, match='whole pickled module'):
        load_state_dict(tmp_path / 'in.pth')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'there is no checkpoint'),
        (b'', 'in.pth cannot be read'),
        (b'not a checkpoint', 'in.pth is no state dict'),
        (b'PK\x03\x04 half a checkpoint', 'in.pth'),
    ],
)
def test_a_missing_or_broken_file_is_named(content, message, tmp_path):
    path = tmp_path / 'in.pth'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_state_dict(path)


def test_a_list_is_no_state_dict(tmp_path):
    torch.save([1, 2], tmp_path / 'in.pth')
    with pytest.raises(InputError, match='holds no checkpoint but a list'):
        load_state_dict(tmp_path / 'in.pth')


@pytest.mark.parametrize('backbone', ['resnet34', 'resnet50', 'vgg11', 'densenet121'])
def test_another_backbone_than_the_models_is_named(resnet18, backbone):
    with pytest.raises(InputError, match=f'on {backbone}, .*(missing|shape)') as error:
        import_reference(resnet18.state_dict(), backbone)
    assert '\n' not in str(error.value)


def test_an_unknown_backbone_is_answered_with_those_there_are(resnet18):
    with pytest.raises(InputError, match=r'convnext.*vgg19'):
        model_config(resnet18.state_dict(), 'convnext_tiny')


def test_a_missing_part_is_named(resnet18):
    state = resnet18.state_dict()
    del state['prototype_vectors']
    with pytest.raises(InputError, match='no prototype_vectors'):
        import_reference(state, 'resnet18')


@pytest.mark.slow
def test_the_command_line_writes_a_checkpoint_for_the_config_it_prints(resnet18, tmp_path):
    torch.save(resnet18.state_dict(), tmp_path / 'in.pth')

    def run(*arguments):
        return subprocess.run(
            [sys.executable, 'tools/import_reference.py', *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    out = tmp_path / 'out.pth'
    done = run(tmp_path / 'in.pth', out, '--backbone', 'resnet18')
    assert done.returncode == 0, done.stderr
    assert 'tools/push.py' in done.stdout
    printed = done.stdout[: done.stdout.index('\nSaved')].splitlines()
    config = '\n'.join(line for line in printed if ' - mmengine - ' not in line)  # its warnings
    config = Config.fromstring(config, '.py')
    load_checkpoint(get_model(config), str(out), strict=True)

    done = run(tmp_path / 'in.pth', out, '--backbone', 'vgg16')
    assert done.returncode == 1
    assert done.stderr.startswith('error: the state dict is not that of a ProtoPNet')
    assert len(done.stderr.splitlines()) == 1
