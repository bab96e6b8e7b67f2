import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.apis import push_prototypes
from mmproto.explain.survey import Survey, survey
from mmproto.explain.trust import confusion, firing_shares, own_patches, twins
from tests.toy import ArrayDataset, loader, model_config


def random_survey(seed, images, prototypes, classes):
    rng = np.random.default_rng(seed)
    score = rng.normal(size=(images, prototypes)).astype(np.float32)
    logit = rng.normal(size=(images, classes)).astype(np.float32)
    return Survey(
        score, np.zeros((images, prototypes, 2)), logit, rng.integers(classes, size=images)
    )


@given(st.integers(0, 99), st.integers(1, 12), st.integers(1, 25), st.integers(2, 4))
def test_shares_and_confusion_agree_with_plain_loops(seed, images, prototypes, classes):
    one = random_survey(seed, images, prototypes, classes)
    labels = np.random.default_rng(seed).integers(-1, classes, size=prototypes)
    own, other = firing_shares(one, labels)
    for j in range(prototypes):
        answers = {True: [], False: []}
        for i in range(images):
            higher = sum(one.score[i] > one.score[i, j])
            answers[bool(one.label[i] == labels[j])].append(higher < 10)
        for share, asked in ((own[j], answers[True]), (other[j], answers[False])):
            assert np.isnan(share) if not asked else np.isclose(share, np.mean(asked))
    matrix = np.zeros((classes, classes), int)
    for i in range(images):
        matrix[one.label[i], one.logit[i].argmax()] += 1
    assert (confusion(one) == matrix).all()


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
