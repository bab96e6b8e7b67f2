from itertools import chain

import cv2
import numpy as np
import pytest
import torch
from mmpretrain.registry import DATASETS

from mmproto.analysis.scored_images import scored_images
from mmproto.errors import InputError
from tests.analysis.small_model import small_model
from tests.toy import ArrayDataset


@torch.no_grad()
@pytest.mark.parametrize('changes', [{}, dict(prototype_size=2)])
def test_scores_agree_with_plain_loops(changes):
    model, dataset = small_model(**changes), ArrayDataset(count=7)
    vectors, (h, w) = model.head.prototype_vectors, model.head.prototype_vectors.shape[2:]
    batches = list(scored_images(model, dataset, 3, 'test'))
    assert [[one.index for one in batch] for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    for one in chain.from_iterable(batches):
        features = model.extract_feat(dataset[one.index]['inputs'][None] / 255)[-1][0]
        assert one.input_size == (16, 16)
        assert torch.allclose(one.feature_map[0], features, atol=1e-5)
        maps = one.located_maps(model.head, range(len(vectors)))
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
            similarity_map = np.log((distances + 1) / (distances + 1e-4))
            scores.append(similarity_map.max())
            y, x = one.locations[j]
            assert distances[y, x] == pytest.approx(distances.min(), abs=1e-5)
            assert np.allclose(maps[j].similarity_map, similarity_map, atol=1e-2)
            assert (maps[j].score, maps[j].location) == (one.scores[j], (y, x))
            patch = features[:, y : y + h, x : x + w].flatten()
            assert np.allclose(one.patch_vector(model.head, j), patch, atol=1e-5)
        assert np.allclose(one.scores, scores, atol=1e-4)
        logits = model.head.last_layer.weight.numpy() @ np.array(scores)
        assert np.allclose(one.logits, logits, atol=1e-3)


def test_only_maps_that_are_asked_for_are_kept():
    model = small_model()
    ((one,),) = scored_images(model, ArrayDataset(count=1), 1, 'test')
    maps = one.located_maps(model.head, [4, 1])
    assert list(maps) == [1, 4]
    assert all(found.similarity_map.base is None for found in maps.values())
    assert one.located_maps(model.head, []) == {}


def test_a_cosine_patch_has_unit_length_as_its_prototype():
    model = small_model(similarity='cosine')
    ((one,),) = scored_images(model, ArrayDataset(count=1), 1, 'test')
    vector = one.patch_vector(model.head, 2)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    cosine = vector @ model.head.prototype_vectors[2].detach().flatten().numpy()
    assert one.scores[2] == pytest.approx(model.head.similarity.scale * cosine, abs=1e-4)


@pytest.mark.parametrize('content', [b'this is no image', b'', None])
def test_a_damaged_image_is_named(tmp_path, content):
    for name in ('a', 'b', 'c'):
        (tmp_path / name).mkdir()
        cv2.imwrite(f'{tmp_path}/{name}/1.png', np.zeros((16, 16, 3), np.uint8))
    dataset = DATASETS.build(
        dict(
            type='mmpretrain.CustomDataset',
            data_root=str(tmp_path),
            pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')],
            _scope_='mmpretrain',
        )
    )
    damaged = tmp_path / 'b' / '1.png'
    damaged.unlink()
    if content is not None:
        damaged.write_bytes(content)
    with pytest.raises(InputError, match='cannot be read') as error:
        list(scored_images(small_model(), dataset, 2, 'test'))
    assert str(damaged) in str(error.value)
    assert '\n' not in str(error.value)
