import pytest
import torch

from mmproto.apis.benchmark.networks import Setting
from mmproto.apis.benchmark.ratios import LINEAR, NETWORKS, one_image, training_step
from tests.toy import RECIPE


def setting(prototypes):
    return Setting('test_resnet', 32, prototypes, channels=16)


def test_there_are_ten_prototypes_a_class_until_there_are_200_classes():
    for prototypes, classes in ((60, 6), (2000, 200), (100_000, 200)):
        assert setting(prototypes).classes == classes
    head = setting(4000).protopnet().head
    assert len(head.prototype_class) == 4000
    assert setting(4000).baseline().head.num_classes == head.num_classes == 200


def test_more_classes_and_a_finer_map_can_be_asked_for():
    finer = Setting('test_resnet', 32, 4000, channels=16, out_index=-2, most_classes=300)
    assert finer.classes == 300
    images = torch.rand(1, 3, 32, 32)
    (last,), (map_before,) = (
        one.protopnet().eval().extract_feat(images) for one in (setting(4000), finer)
    )
    assert map_before.shape[2] == 2 * last.shape[2]


def test_what_only_prototypes_need_shows():
    few, many = (one_image(setting(count), repeats=1) for count in (200, 20_000))
    assert list(few) == list(NETWORKS)
    # each prototype's nearest patch, D numbers, and the scores' own
    assert many['ProtoPNet'].megabytes > 20_000 * 16 * 4 / 2**20 / 2
    for costs in few, many:
        assert costs['bare backbone'].megabytes <= costs[LINEAR].megabytes + 0.01
        assert all(cost.seconds > 0 for cost in costs.values())


def test_a_step_that_moves_less_needs_less():
    recipe = RECIPE['optim_wrapper']
    costs = training_step(setting(200), recipe, batch_size=4, repeats=1)
    assert list(costs) == [*NETWORKS, 'warm', 'last layer']
    # gradients of the backbone and what they are computed from
    assert costs['warm'].megabytes < 0.5 * costs['ProtoPNet'].megabytes
    assert costs['ProtoPNet'].megabytes == pytest.approx(costs[LINEAR].megabytes, rel=0.5)


def test_half_precision_changes_what_a_step_holds():
    large = Setting('test_resnet', 128, 20, channels=16)
    recipe = RECIPE['optim_wrapper']
    single, half = (
        training_step(large, recipe, batch_size=4, repeats=1, variant=variant)
        for variant in ('fp32', 'bf16')
    )
    for name in NETWORKS:
        assert half[name].megabytes < 0.9 * single[name].megabytes
