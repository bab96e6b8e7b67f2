"""Training, push, maps, explanation, analysis and export agree on "patch against prototype".

For cosine similarity and for one that is made up here: what the parts of mmproto say is compared
with a plain loop over patches and prototypes, by nothing but the similarity's own equations.
"""

import copy

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.analysis.score_dataset import score_dataset
from mmproto.apis.export_onnx import export_onnx
from mmproto.engine.push import push_prototypes
from mmproto.explanation.explain import explain
from mmproto.explanation.high_activation import cell_centre, upsample
from mmproto.models import Similarity
from tests.toy import loader, model_config, train_config

SIZE = (16, 16)


@MODELS.register_module()
class TotalVariationSimilarity(Similarity):
    """Patches and prototypes as distributions; how much of them overlaps, times four."""

    def embed(self, patches):
        return patches / patches.sum(-1, keepdim=True)

    def distance(self, patches, prototypes):
        return (patches - prototypes).abs().sum(-1) / 2

    def score(self, distances, labels=None, prototype_class=None):
        return 4 * (1 - distances)

    @torch.no_grad()
    def constrain(self, prototypes):
        vectors = prototypes.flatten(1).clamp(min=0)
        prototypes.copy_(self.embed(vectors).view_as(prototypes))


MADE_UP = dict(type='TotalVariationSimilarity')
# The changes of the head, and what its similarity scores at most.
CASES = {
    'cosine': (dict(similarity='cosine'), 10),
    'made up': (dict(similarity=MADE_UP), 4),
    'made up, two cells': (dict(similarity=MADE_UP, prototype_size=(2, 1)), 4),
}


@pytest.fixture(scope='module', params=CASES.values(), ids=CASES)
def case(request, tmp_path_factory):
    """A trained model, and what its similarity scores at most."""
    changes, most = request.param
    torch.manual_seed(0)
    # Without batch norm, whose statistics move on when the last layer alone is trained.
    model = {**model_config(**changes), 'backbone': dict(type='ConvBackbone', channels=8)}
    runner = Runner.from_cfg(train_config(tmp_path_factory.mktemp('work'), model=model))
    start = copy.deepcopy(runner.model.state_dict())
    model = runner.train().eval()
    for name in ('neck.add_on_layers.0.weight', 'head.last_layer.weight'):
        assert not torch.equal(model.state_dict()[name], start[name])
    assert model.head.prototypes_are_patches
    return model, most


@pytest.fixture(scope='module')
def dataloader():
    """Other images than those of the training."""
    return Runner.build_dataloader(loader(seed=1))


@pytest.fixture(scope='module')
def dataset(dataloader):
    return dataloader.dataset


@torch.no_grad()
def inputs_of(model, dataset):
    images = torch.stack([item['inputs'] for item in dataset])
    return model.data_preprocessor(dict(inputs=images))['inputs']


@torch.no_grad()
def by_loop(model, dataset):
    """Distances of all patches (N, P, H', W'), and the patches (N, H', W', D, h, w) compared."""
    features = model.extract_feat(inputs_of(model, dataset))[-1]
    prototypes, similarity = model.head.prototype_vectors, model.head.similarity
    h, w = prototypes.shape[2:]
    rows, columns = features.shape[2] - h + 1, features.shape[3] - w + 1
    maps = torch.empty(len(features), len(prototypes), rows, columns)
    patches = torch.empty(len(features), rows, columns, *prototypes.shape[1:])
    for i, image in enumerate(features):
        for row in range(rows):
            for column in range(columns):
                patch = similarity.embed(image[:, row : row + h, column : column + w].flatten())
                patches[i, row, column] = patch.view(prototypes.shape[1:])
                for j, prototype in enumerate(prototypes):
                    maps[i, j, row, column] = similarity.distance(patch, prototype.flatten())
    return maps, patches


@pytest.fixture(scope='module')
def scores(case, dataset):
    """Scores (N, P, H', W') of all patches of the data set, by the loop."""
    model, _ = case
    return model.head.similarity.score(by_loop(model, dataset)[0])


@torch.no_grad()
def test_scores_maps_and_logits(case, dataset, scores):
    model, _ = case
    feats = model.extract_feat(inputs_of(model, dataset))
    outputs, maps = model.head.outputs(feats), model.head.similarity_maps(feats)
    torch.testing.assert_close(maps, scores, rtol=0, atol=1e-4)
    assert torch.equal(maps.flatten(2).amax(2), outputs.scores)
    logits = torch.einsum('np,cp->nc', scores.flatten(2).amax(2), model.head.last_layer.weight)
    torch.testing.assert_close(outputs.logits, logits, rtol=0, atol=1e-4)
    torch.testing.assert_close(model.head(feats), logits, rtol=0, atol=1e-4)


@torch.no_grad()
def test_loss_sees_the_same_distances(case, dataset):
    model, _ = case
    feats = model.extract_feat(inputs_of(model, dataset))
    labels = torch.tensor([int(item['data_samples'].gt_label) for item in dataset])
    distances = model.head.outputs(feats, labels).distances
    expected = by_loop(model, dataset)[0].flatten(2).amin(2)
    torch.testing.assert_close(distances, expected, rtol=0, atol=1e-5)


def test_push(case, dataloader):
    """Prototypes somewhere become the nearest patches of their class."""
    model = copy.deepcopy(case[0])
    torch.manual_seed(1)
    torch.nn.init.uniform_(model.head.prototype_vectors)
    model.head.constrain()
    distances, patches = by_loop(model, dataloader.dataset)
    labels = torch.tensor([int(item['data_samples'].gt_label) for item in dataloader.dataset])
    distances[labels[:, None] != model.head.prototype_class] = float('inf')
    push_prototypes(model, dataloader)
    head = model.head
    for j in range(len(head.prototype_class)):
        image, (row, column) = head.prototype_image[j], head.prototype_location[j].tolist()
        found = float(distances[image, j, row, column])
        assert found == pytest.approx(float(distances[:, j].min()), abs=1e-6)
        assert float(head.prototype_distance[j]) == pytest.approx(found, abs=1e-5)
        torch.testing.assert_close(head.prototype_vectors[j], patches[image, row, column])


@torch.no_grad()
def test_a_pushed_prototype_scores_the_most_on_its_patch(case):
    model, most = case
    push_set = Runner.build_dataloader(loader()).dataset
    outputs = model.head.outputs(model.extract_feat(inputs_of(model, push_set)))
    loop = model.head.similarity.score(by_loop(model, push_set)[0])
    for j, image in enumerate(model.head.prototype_image.tolist()):
        row, column = model.head.prototype_location[j].tolist()
        assert float(loop[image, j, row, column]) == pytest.approx(most, abs=1e-4)
        assert float(outputs.scores[image, j]) == pytest.approx(most, abs=1e-4)


def holds(box, point):
    return box.top <= point[0] < box.bottom and box.left <= point[1] < box.right


def test_explanations(case, dataset, scores):
    model, _ = case
    inputs = inputs_of(model, dataset)
    weight = model.head.last_layer.weight.detach()
    for one, image in zip(explain(model, inputs, [None] * len(inputs)), scores):
        for explained in (one.target, one.rival):
            points = image.flatten(1).amax(1) * weight[explained.label]
            assert explained.logit == pytest.approx(float(points.sum()), abs=1e-4)
            assert explained.error < 1e-4
            for match in explained.matches:
                assert match.points == pytest.approx(float(points[match.prototype]), abs=1e-4)
        for match in one.matches:
            row, column = match.location
            of_prototype = image[match.prototype]
            assert match.score == pytest.approx(float(of_prototype.max()), abs=1e-4)
            assert match.score == pytest.approx(float(of_prototype[row, column]), abs=1e-4)
            expected = upsample(of_prototype.numpy(), SIZE)
            expected = (expected - expected.min()) / (expected.max() - expected.min())
            np.testing.assert_allclose(match.activation, expected, atol=2e-3)
            assert holds(match.box, cell_centre(match.location, of_prototype.shape, SIZE))


def test_analysis(case, dataset, scores):
    model, _ = case
    images, prototypes = scores.shape[:2]
    pairs = {image: range(prototypes) for image in range(images)}
    found = score_dataset(model, dataset, batch_size=4, split='test', k=3, pairs=pairs)
    best = scores.flatten(2).amax(2)
    logits = best @ model.head.last_layer.weight.detach().t()
    np.testing.assert_allclose(found.logits, logits.numpy(), atol=1e-4)
    for (image, j), patch in found.patches.items():
        assert patch.score == pytest.approx(float(best[image, j]), abs=1e-4)
        assert holds(patch.box, cell_centre(patch.location, scores.shape[2:], SIZE))
    assert len(found.patches) == images * prototypes
    for j, nearest in enumerate(found.nearest):
        expected = best[:, j].sort(descending=True).values[:3]
        np.testing.assert_allclose([patch.score for patch in nearest], expected, atol=1e-4)


def test_export(case, dataset, scores, tmp_path):
    onnxruntime = pytest.importorskip('onnxruntime')
    model, _ = case
    file = tmp_path / 'model.onnx'
    export_onnx(model, SIZE, file)
    images = torch.stack([item['inputs'] for item in dataset]).float().numpy()
    session = onnxruntime.InferenceSession(file, providers=['CPUExecutionProvider'])
    logits, exported, location, _ = session.run(None, dict(images=images))
    best = scores.flatten(2).amax(2)
    np.testing.assert_allclose(exported, best.numpy(), atol=1e-4)
    expected = best @ model.head.last_layer.weight.detach().t()
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)
    images, prototypes = np.indices(exported.shape)
    at_location = scores.numpy()[images, prototypes, location[..., 0], location[..., 1]]
    np.testing.assert_allclose(at_location, exported, atol=1e-4)
