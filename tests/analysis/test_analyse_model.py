from collections import Counter

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS

from mmproto.analysis import editable_model
from mmproto.analysis.analyse_model import analyse_model
from mmproto.apis import push_prototypes
from mmproto.datasets.annotated_parts import parts_of_images
from mmproto.datasets.birds import CUB_PARTS, make_birds
from mmproto.evaluation.measures.part_hits import inside
from mmproto.models.heads.fingerprint import fingerprint
from tests.analysis.small_model import small_model
from tests.toy import SIMILARITIES, ArrayDataset, loader

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(32, 32)),
    dict(type='PackInputs'),
]


@pytest.fixture(scope='module')
def birds(tmp_path_factory):
    root = make_birds(tmp_path_factory.mktemp('data') / 'birds', 3, train=4, test=3, size=64)
    return {
        split: dict(type='AnnotatedCUB', data_root=str(root), split=split, pipeline=PIPELINE)
        for split in ('train', 'test')
    }


def count_images(model):
    """How often each image goes through the backbone, from now on."""
    through = Counter()
    model.backbone.register_forward_pre_hook(
        lambda _, inputs: through.update(one.numpy().tobytes() for one in inputs[0])
    )
    return through


@pytest.mark.parametrize('similarity', SIMILARITIES)
def test_any_similarity_is_reported_right_in_one_pass(birds, similarity):
    model = small_model(similarity=similarity)
    push_set, test_set = DATASETS.build(birds['train']), DATASETS.build(birds['test'])
    dataloader = loader()
    dataloader['dataset'] = birds['train']
    push_prototypes(model, Runner.build_dataloader(dataloader))
    through = count_images(model)
    found = analyse_model(model, push_set, test_set, batch_size=5)
    assert len(through) == len(push_set) + len(test_set) == 21
    assert set(through.values()) == {1}

    best = float(model.head.similarity.score(torch.tensor(0.0)))
    assert sorted(found.own_patches) == list(range(6))
    for one in found.prototypes:
        own = found.own_patches[one.prototype]
        assert own.image == int(model.head.prototype_image[one.prototype])
        assert own.score == pytest.approx(best, abs=0.05 * max(1, abs(best)))
        assert one.nearest_train[0].score == pytest.approx(own.score, abs=1e-3)
        held = inside(parts_of_images(push_set, [own.image])[own.image], own.box)
        assert one.parts == [name for name, is_in in zip(CUB_PARTS, held) if is_in]
    # Of so few images the map shows all.
    mapped = [(patch.split, patch.image) for patch in found.latent_map.patches]
    assert mapped == [('train', i) for i in range(12)] + [('test', i) for i in range(9)]
    # On the map a prototype lies where the patch lies that it is.
    prototypes = model.head.prototype_vectors.detach().flatten(1).numpy()
    same = [
        (vector, prototypes[j])
        for j, own in found.own_patches.items()
        for patch, vector in zip(found.train.sample, found.train.sample_vectors, strict=True)
        if (patch.image, patch.location) == (own.image, own.location)
    ]
    assert same
    for vector, prototype in same:
        assert np.allclose(vector, prototype, atol=1e-4)


def test_no_box_is_looked_for_that_nobody_asks_for():
    found = analyse_model(small_model(), ArrayDataset(), ArrayDataset(seed=1, count=6), 4)
    assert found.own_patches == {}
    assert len(found.test.patches) == len(found.test.sample) == 6
    assert {one.parts for one in found.prototypes} == {None}


def test_scores_are_kept_where_a_page_can_carry_them(monkeypatch):
    model, test_set = small_model(), ArrayDataset(seed=1, count=6)
    found = analyse_model(model, [], test_set, 4).editable
    logits = torch.from_numpy(found.scores) @ torch.from_numpy(found.weight).T
    assert torch.equal(logits, model.head.logits(torch.from_numpy(found.scores)))
    assert found.labels.tolist() == test_set.labels.tolist()
    assert found.fingerprint == fingerprint(model.head)
    # 6 images and 3 classes, 6 prototypes
    for most, carried in ((54, True), (53, False)):
        monkeypatch.setattr(editable_model, 'MOST_NUMBERS', most)
        assert analyse_model(model, [], test_set, 4).editable.scored == carried


def test_patches_and_boxes_are_told_of(birds):
    model = small_model()
    push_set, test_set = DATASETS.build(birds['train']), ArrayDataset(seed=1, count=6)
    found = analyse_model(model, push_set, test_set, 4).editable
    assert (found.pushed, found.has_boxes) == (False, True)
    push_prototypes(model, Runner.build_dataloader(loader()))
    found = analyse_model(model, test_set, test_set, 4).editable
    assert (found.pushed, found.has_boxes) == (True, False)


def test_without_training_images():
    found = analyse_model(small_model(), [], ArrayDataset(seed=1, count=6), 4)
    assert found.train is None
    assert {len(one.nearest_train) for one in found.prototypes} == {0}
    assert [patch.split for patch in found.latent_map.patches] == ['test'] * 6
