import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS

from mmproto.explanation.explain import MOST_SIMILAR, explain
from mmproto.explanation.high_activation import cell_centre, region_box, upsample
from tests.toy import model_config


def build(seed=0, **changes):
    torch.manual_seed(seed)
    model = MODELS.build(model_config(**changes)).eval()
    torch.nn.init.normal_(model.head.last_layer.weight)
    return model


@pytest.fixture
def inputs():
    return torch.rand(3, 3, 24, 32, generator=torch.Generator().manual_seed(0))


def plain_scores(model, image):
    """Scores, locations and maps by loops over prototypes and places."""
    features = model.extract_feat(image[None])[-1][0].double()
    vectors = model.head.prototype_vectors.double()
    rows, columns = features.shape[1:]
    maps = np.zeros((len(vectors), rows, columns))
    for j, vector in enumerate(vectors):
        for row in range(rows):
            for column in range(columns):
                distance = (features[:, row, column] - vector[:, 0, 0]).square().sum()
                maps[j, row, column] = torch.log((distance + 1) / (distance + 1e-4))
    locations = [np.unravel_index(one.argmax(), one.shape) for one in maps]
    return maps.max(axis=(1, 2)), locations, maps


@torch.no_grad()
def test_explanations_agree_with_plain_loops(inputs):
    model = build()
    logits = model.head(model.extract_feat(inputs))
    for image, logit, explanation in zip(inputs, logits, explain(model, inputs, [None] * 3)):
        scores, locations, maps = plain_scores(model, image)
        ranked = logit.argsort(descending=True).tolist()
        assert explanation.label == explanation.target.label == ranked[0]
        assert explanation.rival.label == ranked[1]
        assert torch.allclose(explanation.probabilities, logit.softmax(0))
        for explained in (explanation.target, explanation.rival):
            own = {j for j in range(6) if j // 2 == explained.label}
            assert {match.prototype for match in explained.matches} == own
            points = [match.points for match in explained.matches]
            assert points == sorted(points, reverse=True)
            assert explained.logit == pytest.approx(float(logit[explained.label]), abs=1e-5)
            assert sum(points) + explained.rest == pytest.approx(explained.logit, abs=1e-4)
            assert explained.error < 1e-4
            weight = model.head.last_layer.weight[explained.label]
            rest = sum(scores[j] * float(weight[j]) for j in range(6) if j not in own)
            assert explained.rest == pytest.approx(rest, abs=1e-4)
            for match in explained.matches:
                j = match.prototype
                assert match.prototype_class == j // 2
                assert match.score == pytest.approx(scores[j], abs=1e-4)
                assert match.weight == pytest.approx(float(weight[j]))
                assert match.location == locations[j]
                upsampled = upsample(maps[j].astype(np.float32), (24, 32))
                point = cell_centre(locations[j], maps[j].shape, (24, 32))
                assert match.box == region_box(upsampled, point)
                row, column = locations[j]  # of cells of two pixels a side
                assert match.cell == (2 * row, 2 * row + 2, 2 * column, 2 * column + 2)
        most = [match.prototype for match in explanation.most_similar]
        assert most == np.argsort(-scores, kind='stable')[:MOST_SIMILAR].tolist()


@torch.no_grad()
def test_another_class_is_explained_beside_the_predicted_one(inputs):
    model = build()
    predicted = [one.label for one in explain(model, inputs, [None] * 3)]
    targets = [(label + 1) % 3 for label in predicted]
    for label, other, one in zip(predicted, targets, explain(model, inputs, targets)):
        assert one.label == label
        assert one.target.label == other
        assert one.rival.label == label


@torch.no_grad()
def test_prototypes_without_a_class_speak_by_their_points(inputs):
    model = build(prototypes_per_class=None, num_prototypes=15)
    for one in explain(model, inputs, [None] * 3):
        assert len(one.target.matches) == MOST_SIMILAR
        points = [match.points for match in one.target.matches]
        assert points == sorted(points, reverse=True)
        assert one.target.error < 1e-4
        assert {match.prototype_class for match in one.target.matches} == {-1}


@torch.no_grad()
def test_a_image_is_explained_alike_alone_and_in_a_batch(inputs):
    model = build()
    together = explain(model, inputs, [None] * 3)
    for image, one in zip(inputs, together):
        (alone,) = explain(model, image[None], [None])
        assert [m.prototype for m in alone.most_similar] == [m.prototype for m in one.most_similar]
        assert [m.box for m in alone.most_similar] == [m.box for m in one.most_similar]
        assert alone.target.logit == pytest.approx(one.target.logit, abs=1e-4)
