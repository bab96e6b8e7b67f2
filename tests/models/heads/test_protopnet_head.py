import pickle

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmproto.errors import InputError
from tests.toy import model_config


def build_head(**changes):
    torch.manual_seed(0)
    return MODELS.build(model_config(**changes)['head'])


def samples(labels):
    return [DataSample().set_gt_label(label) for label in labels]


def test_first_weights_and_classes():
    head = build_head()
    assert head.prototype_class.tolist() == [0, 0, 1, 1, 2, 2]
    assert head.prototype_vectors.shape == (6, 6, 1, 1)
    assert bool(((head.prototype_vectors >= 0) & (head.prototype_vectors <= 1)).all())
    weight = head.last_layer.weight
    for label in range(3):
        for prototype in range(6):
            assert weight[label, prototype] == (1 if prototype // 2 == label else -0.5)
    assert head.last_layer.bias is None


def test_classes_may_have_different_numbers_of_prototypes():
    head = build_head(prototypes_per_class=[3, 0, 1])
    assert head.prototype_class.tolist() == [0, 0, 0, 2]
    assert head.prototype_vectors.shape == (4, 6, 1, 1)
    assert head.last_layer.weight.tolist() == [[1, 1, 1, -0.5], [-0.5] * 4, [-0.5, -0.5, -0.5, 1]]


def test_state_dict_has_the_public_names():
    assert set(build_head().state_dict()) == {
        'prototype_vectors',
        'last_layer.weight',
        'prototype_class',
        'prototype_image',
        'prototype_location',
        'prototype_distance',
        'prototypes_are_patches',
        'prototype_name',
        'forbidden_patch',
        'forbidden_radius',
        'only_on_objects',
    }


@pytest.mark.parametrize('similarity', ['log', 'linear', 'cosine'])
def test_logits_are_the_sum_of_points(similarity):
    head = build_head(similarity=similarity, prototype_size=(2, 1))
    feats = (torch.rand(3, 6, 4, 7),)
    maps = head.similarity_maps(feats)
    assert maps.shape == (3, 6, 3, 7)
    scores = head.pre_logits(feats)
    assert torch.equal(scores, maps.flatten(2).amax(2))
    torch.testing.assert_close(head(feats), scores @ head.last_layer.weight.t())


def test_everything_is_fp32_under_autocast():
    head = build_head()
    feats = (torch.rand(2, 6, 4, 4),)
    plain = head(feats)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(head(feats), plain)


def test_the_losses_sum_to_the_total_and_carry_no_other_name():
    model = MODELS.build(model_config())
    losses = model.loss(torch.rand(4, 3, 16, 16), samples([0, 1, 2, 0]))
    assert list(losses) == ['loss_cls', 'loss_cluster', 'loss_separation', 'loss_l1']
    total, _ = model.parse_losses(losses)
    torch.testing.assert_close(total, sum(losses.values()))


def test_accuracy_is_logged_if_asked_for():
    head = build_head(cal_acc=True, topk=(1, 2))
    losses = head.loss((torch.rand(4, 6, 3, 3),), samples([0, 1, 2, 0]))
    assert {'accuracy_top-1', 'accuracy_top-2'} <= set(losses)
    (first,), (second,) = losses['accuracy_top-1'], losses['accuracy_top-2']
    assert 0 <= first <= second <= 100


def test_prototypes_without_a_class():
    head = build_head(prototypes_per_class=None, num_prototypes=5)
    feats = (torch.rand(3, 6, 4, 4),)
    losses = head.loss(feats, samples([0, 1, 2]))
    nearest = head.outputs(feats).distances.amin(1).mean()
    torch.testing.assert_close(losses['loss_cluster'], 0.8 * nearest)
    assert losses['loss_separation'] == 0
    torch.testing.assert_close(losses['loss_l1'], 1e-4 * head.last_layer.weight.abs().sum())
    assert head(feats).shape == (3, 3)
    assert head.last_layer.weight.unique().numel() > 5  # classes differ from the start


def test_a_step_that_can_move_prototypes_or_patches_is_noted():
    head = build_head()
    head.prototypes_are_patches.fill_(True)
    feats = torch.rand(1, 6, 2, 2)
    head.prototype_vectors.requires_grad_(False)
    head.loss((feats,), samples([0]))
    assert bool(head.prototypes_are_patches)
    head.loss((feats.requires_grad_(),), samples([0]))
    assert not bool(head.prototypes_are_patches)


def test_prune_drops_prototypes_with_their_connections():
    head = build_head()
    feats = (torch.rand(2, 6, 3, 3),)
    keep = torch.tensor([True, False, True, True, False, True])
    scores, weight = head.pre_logits(feats), head.last_layer.weight.detach().clone()
    head.prune(keep)
    assert head.prototype_class.tolist() == [0, 1, 1, 2]
    torch.testing.assert_close(head(feats), scores[:, keep] @ weight[:, keep].t())


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(num_prototypes=7), r'num_prototypes=7 does not fit .*=2 of num_classes=3, in all 6'),
        (dict(prototypes_per_class=0), r'prototypes_per_class=0: it has to be'),
        (dict(prototypes_per_class=2.5), r'prototypes_per_class=2\.5: it has to be'),
        (dict(prototypes_per_class=[2, 1]), r'=\[2, 1\] is a list of 2 .*num_classes is 3'),
        (dict(prototypes_per_class=[2, 1, -1]), r'=\[2, 1, -1\]: a list has to hold integers'),
        (dict(prototypes_per_class=[2, 1, 0.5]), r'=\[2, 1, 0\.5\]: a list has to hold'),
        (dict(prototypes_per_class=[2, 1, True]), r'=\[2, 1, True\]: a list has to hold'),
        (dict(prototypes_per_class=[0, 0, 0]), r'=\[0, 0, 0\]: .* not only zeros'),
        (dict(prototypes_per_class='3'), r"prototypes_per_class='3': it has to be"),
        (dict(prototypes_per_class=[3, 0, 1], num_prototypes=6), r'num_prototypes=6 .* in all 4'),
        (dict(prototype_size=0), r'prototype_size=0: give one side'),
        (dict(box='all'), r"head.box='all' is unknown: choose one of \['peak', 'percentile'\]"),
        (dict(prototype_size=(1, 1, 1)), r'prototype_size=\(1, 1, 1\): give one side'),
        (dict(prototypes_per_class=None), r'set model\.head\.num_prototypes'),
        (dict(similarity='euclid'), r"similarity='euclid' is unknown: choose one of"),
    ],
)
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        build_head(**changes)


def test_channels_of_neck_and_head_that_differ_are_refused():
    head = build_head(in_channels=4)
    with pytest.raises(InputError, match=r'head\.in_channels=4 .* neck gives 6 channels'):
        head((torch.rand(1, 6, 2, 2),))


def test_metrics_see_the_prototypes():
    head = build_head()
    feats = (torch.rand(2, 6, 3, 4),)
    outputs, maps = head.outputs(feats), head.similarity_maps(feats)
    for i, sample in enumerate(head.predict(feats)):
        assert sample.pred_label == outputs.logits[i].argmax()
        assert torch.equal(sample.prototype_scores, outputs.scores[i])
        rows, columns = sample.prototype_locations.t()
        assert torch.equal(maps[i, torch.arange(6), rows, columns], sample.prototype_scores)


def test_a_predicted_sample_is_pickled_without_the_rest_of_its_batch():
    head = build_head()
    feats = torch.rand(200, 6, 3, 4)
    alone, among = (len(pickle.dumps(head.predict((x,))[0])) for x in (feats[:1], feats))
    assert among == pytest.approx(alone, rel=0.05)


def test_prototypes_satisfy_their_similarity_from_the_start():
    head = build_head(similarity='cosine', prototype_size=(2, 1))
    torch.testing.assert_close(head.prototype_vectors.flatten(1).norm(dim=1), torch.ones(6))
    with torch.no_grad():
        head.prototype_vectors.mul_(3)
    head.constrain()
    torch.testing.assert_close(head.prototype_vectors.flatten(1).norm(dim=1), torch.ones(6))


def test_several_labels_are_refused():
    several = [DataSample().set_gt_label([0, 1]), DataSample().set_gt_label(2)]
    with pytest.raises(InputError, match='has several labels'):
        build_head().loss((torch.rand(2, 6, 2, 2),), several)


def test_mixed_labels_are_refused():
    sample = DataSample().set_gt_score(torch.tensor([0.5, 0.5, 0]))
    with pytest.raises(InputError, match='Mixup, CutMix'):
        build_head().loss((torch.rand(1, 6, 2, 2),), [sample])
