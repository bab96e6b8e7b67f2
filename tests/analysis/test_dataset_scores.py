import cv2
import numpy as np
import pytest
import torch
from mmpretrain.registry import DATASETS, MODELS

from mmproto.analysis.dataset_scores import feature_maps, survey
from mmproto.errors import InputError
from tests.toy import ArrayDataset, model_config


def build(**changes):
    torch.manual_seed(0)
    model = MODELS.build(model_config(**changes)).eval()
    torch.nn.init.normal_(model.head.last_layer.weight)
    return model


@torch.no_grad()
@pytest.mark.parametrize('changes', [{}, dict(prototype_size=2)])
def test_a_survey_agrees_with_plain_loops(changes):
    model, dataset = build(**changes), ArrayDataset(count=7)
    found = survey(model, dataset, batch_size=3)
    vectors, (h, w) = model.head.prototype_vectors, model.head.prototype_vectors.shape[2:]
    for i in range(7):
        features = model.extract_feat(dataset[i]['inputs'][None] / 255)[-1][0]
        scores = []
        for j, vector in enumerate(vectors):
            rows, columns = features.shape[1] - h + 1, features.shape[2] - w + 1
            distances = np.array(
                [
                    [
                        float((features[:, y : y + h, x : x + w] - vector).square().sum())
                        for x in range(columns)
                    ]
                    for y in range(rows)
                ]
            )
            scores.append(np.log((distances.min() + 1) / (distances.min() + 1e-4)))
            y, x = found.cell[i, j]
            assert distances[y, x] == pytest.approx(distances.min(), abs=1e-5)
        logits = model.head.last_layer.weight.numpy() @ np.array(scores)
        assert np.allclose(found.score[i], scores, atol=1e-4)
        assert np.allclose(found.logit[i], logits, atol=1e-3)
        assert found.predicted[i] == logits.argmax()
        weights = np.exp(logits - logits.max())
        assert found.confidence[i] == pytest.approx(weights.max() / weights.sum(), abs=1e-3)
    assert found.label.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_the_most_activated_prototypes_are_ten_or_all():
    dataset = ArrayDataset(count=4)
    for count, expected in ((6, 6), (15, 10)):
        model = build(prototypes_per_class=None, num_prototypes=count)
        found = survey(model, dataset, batch_size=4)
        assert found.most_activated.shape == (4, expected)
        for i, scores in enumerate(found.score):
            ranked = sorted(range(count), key=lambda j: -scores[j])
            assert found.most_activated[i].tolist() == ranked[:expected]


@torch.no_grad()
def test_only_the_images_that_are_asked_for_go_through():
    model, dataset = build(), ArrayDataset(count=9)
    seen = {}
    for images, features, size in feature_maps(model, dataset, [1, 4, 8], 2, 'some'):
        assert size == (16, 16)
        seen.update(zip(images, features))
    assert list(seen) == [1, 4, 8]
    for image, features in seen.items():
        expected = model.extract_feat(dataset[image]['inputs'][None] / 255)[-1][0]
        assert torch.allclose(features, expected, atol=1e-5)


@pytest.mark.parametrize('content', [b'this is no picture', b'', None])
def test_a_damaged_picture_is_named(tmp_path, content):
    for name in ('a', 'b', 'c'):
        (tmp_path / name).mkdir()
        cv2.imwrite(f'{tmp_path}/{name}/1.png', np.zeros((16, 16, 3), np.uint8))
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='PackInputs'),
    ]
    dataset = DATASETS.build(
        dict(
            type='mmpretrain.CustomDataset',
            data_root=str(tmp_path),
            pipeline=pipeline,
            _scope_='mmpretrain',
        )
    )
    damaged = tmp_path / 'b' / '1.png'
    damaged.unlink()
    if content is not None:
        damaged.write_bytes(content)
    with pytest.raises(InputError, match='cannot be read') as error:
        survey(build(), dataset, batch_size=2)
    assert str(damaged) in str(error.value)
    assert '\n' not in str(error.value)
