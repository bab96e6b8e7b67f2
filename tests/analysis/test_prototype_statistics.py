import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.analysis.dataset_scores import DatasetScores, survey
from mmproto.analysis.model_report import ImagePatch, PrototypeStatistics, fires_among
from mmproto.analysis.prototype_statistics import (
    confusion,
    firing_shares,
    own_patches,
    strongest_classes,
    twins,
)
from mmproto.apis import push_prototypes
from tests.toy import ArrayDataset, loader, model_config


def random_survey(seed, images, prototypes, classes):
    rng = np.random.default_rng(seed)
    score = rng.normal(size=(images, prototypes)).astype(np.float32)
    logit = rng.normal(size=(images, classes)).astype(np.float32)
    return DatasetScores(
        score, np.zeros((images, prototypes, 2)), logit, rng.integers(classes, size=images)
    )


@given(st.integers(0, 99), st.integers(1, 12), st.integers(1, 50), st.integers(2, 4))
def test_shares_and_confusion_agree_with_plain_loops(seed, images, prototypes, classes):
    one = random_survey(seed, images, prototypes, classes)
    labels = np.random.default_rng(seed).integers(-1, classes, size=prototypes)
    own, other = firing_shares(one, labels)
    among = max(1, min(10, prototypes // classes))
    for j in range(prototypes):
        answers = {True: [], False: []}
        for i in range(images):
            higher = sum(one.score[i] > one.score[i, j])
            answers[bool(one.label[i] == labels[j])].append(higher < among)
        for share, asked in ((own[j], answers[True]), (other[j], answers[False])):
            assert np.isnan(share) if not asked else np.isclose(share, np.mean(asked))
    matrix = np.zeros((classes, classes), int)
    for i in range(images):
        matrix[one.label[i], one.logit[i].argmax()] += 1
    assert (confusion(one) == matrix).all()


def prototype_report(seen=(), **changes):
    """One of class 1 that nothing speaks against, with these classes of nearest patches."""
    facts = dict(
        number=0,
        label=1,
        weight=1.0,
        class_images=9,
        fires_own=0.5,
        fires_other=0.1,
        nearest_train=[
            ImagePatch('train', i, label, 1.0, (0, 1, 0, 1)) for i, label in enumerate(seen)
        ],
        nearest_test=[],
        twins=[],
        parts=None,
        strongest_class=1,
    )
    return PrototypeStatistics(**{**facts, **changes})


@pytest.mark.parametrize(
    ('seen', 'class_images', 'wrong'),
    [
        ([1, 1, 1, 0, 2], 9, False),
        ([1, 1, 0, 0, 2], 9, True),
        ([1, 1, 0, 0, 2], 3, False),
        ([1, 0, 0, 0, 2], 2, False),
        ([1, 0, 0, 0, 2], 3, True),
        ([0, 0, 0, 0, 2], 1, True),
        ([0, 0, 0, 0, 2], 0, False),
        ([], 9, False),
    ],
)
def test_the_wrong_class_is_told_by_what_is_possible(seen, class_images, wrong):
    concerns = prototype_report(seen, class_images=class_images).concerns
    assert any('wrong class' in concern for concern in concerns) == wrong
    assert prototype_report(seen, class_images=class_images, label=-1).concerns == []


def test_how_often_a_prototype_fires_gives_concern():
    nan = float('nan')
    often = ['fires on other classes as often as on its own']
    for label, own, other, expected in [
        (1, 0.5, 0.4, []),
        (1, 0.4, 0.4, often),
        (1, 0.0, 0.1, often),
        (1, 0.0, 0.0, ['never fires']),
        (1, nan, 0.0, []),
        (1, 0.0, nan, []),
        (-1, nan, 0.1, []),
        (-1, nan, 0.0, ['never fires']),
    ]:
        one = prototype_report(label=label, fires_own=own, fires_other=other)
        assert one.concerns == expected, (label, own, other)


def test_few_prototypes_do_not_all_fire():
    assert [fires_among(*sizes) for sizes in ((6, 3), (2, 3), (20, 3), (2000, 200), (60, 2))] == [
        2, 1, 6, 10, 10,
    ]  # fmt: skip
    score = np.array([[3, 2, 0, 1], [0, 1, 3, 2]], np.float32)
    one = DatasetScores(score, None, np.zeros((2, 2), np.float32), np.array([0, 1]))
    own, other = firing_shares(one, np.array([0, 0, 1, 1]))
    assert own.tolist() == [1, 1, 1, 1]
    assert other.tolist() == [0, 0, 0, 0]


def test_a_tie_goes_to_the_class_of_the_prototype():
    weight = np.array([[1.0, 1.0, 2.0, 0.0], [1.0, 1.0, 1.0, 3.0], [0.0, 1.0, 1.0, 3.0]])
    assert strongest_classes(weight, np.array([1, -1, 1, 2])).tolist() == [1, 0, 0, 2]


def test_twins_are_of_one_class_and_patch():
    head = MODELS.build(model_config()).head
    assert twins(head) == [[]] * 6  # never pushed
    head.prototype_image[:] = torch.tensor([4, 4, 4, 4, 4, 7])
    head.prototype_location[:] = torch.tensor([[1, 2], [1, 2], [1, 2], [2, 1], [0, 0], [0, 0]])
    assert twins(head) == [[1], [0], [], [], [], []]


def test_own_patches_are_told_only_for_the_images_of_the_push():
    torch.manual_seed(0)
    model, dataloader = MODELS.build(model_config()), Runner.build_dataloader(loader())
    before = survey(model.eval(), dataloader.dataset, batch_size=4)
    assert own_patches(model.head, before) == []  # never pushed
    push_prototypes(model, dataloader)
    pushed = survey(model, dataloader.dataset, batch_size=4)
    images = model.head.prototype_image.tolist()
    assert own_patches(model.head, pushed) == [(image, j) for j, image in enumerate(images)]
    for dataset in (ArrayDataset(seed=5), ArrayDataset(count=max(images))):
        assert own_patches(model.head, survey(model, dataset, batch_size=4)) == []
