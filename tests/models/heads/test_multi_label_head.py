import pytest
import torch
from mmpretrain.structures import DataSample

from mmproto.errors import InputError
from mmproto.models import MultiLabelProtoPNetHead


def head(**settings):
    torch.manual_seed(0)
    return MultiLabelProtoPNetHead(3, in_channels=4, prototypes_per_class=2, **settings)


def samples(*labels):
    return [DataSample().set_gt_label(list(some)) for some in labels]


def test_labels_are_sets_also_empty_ones():
    expected = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0]]).bool()
    assert torch.equal(head().true_labels(samples((0, 2), (), (1,))), expected)
    scores = [DataSample().set_gt_score(row.float()) for row in expected]
    assert torch.equal(head().true_labels(scores), expected)
    mixed = [DataSample().set_gt_score([0.3, 0.7, 0])]
    with pytest.raises(InputError, match='Mixup'):
        head().true_labels(mixed)


def test_the_first_batch_alone_centres_the_logits():
    one, feats = head(), [torch.rand(5, 4, 3, 3)]
    losses = one.loss(feats, samples((0, 2), (), (1,), (0,), ()))
    assert all(value.isfinite() for value in losses.values())
    torch.testing.assert_close(one(feats).mean(dim=0), torch.zeros(3), atol=1e-4, rtol=0)
    bias = one.last_layer.bias.clone()
    one.loss([torch.rand(2, 4, 3, 3)], samples((0,), ()))
    assert torch.equal(one.last_layer.bias, bias)
    resumed = head()
    resumed.load_state_dict(one.state_dict())
    resumed.loss([torch.rand(2, 4, 3, 3)], samples((0,), ()))
    assert torch.equal(resumed.last_layer.bias, bias)


@pytest.mark.parametrize('settings', [{}, dict(thr=0.7), dict(topk=2), dict(thr=0.6, topk=1)])
def test_predictions_are_those_of_mmpretrain(settings):
    one, feats = head(**settings), [torch.rand(6, 4, 3, 3)]
    one.loss(feats, samples(*[()] * 6))
    for sample in one.predict(feats):
        probabilities = sample.pred_score
        expected = sorted(sample.pred_label.tolist())
        assert sorted(one.predicted_labels(probabilities)) == expected
        if 'thr' not in settings and settings:
            assert len(expected) == 2
    torch.testing.assert_close(one.predict(feats)[0].pred_score, one(feats)[0].sigmoid())


def test_pruning_keeps_where_an_image_begins():
    one, feats = head(), [torch.rand(5, 4, 3, 3)]
    one.loss(feats, samples((0,), (), (), (), ()))
    bias = one.last_layer.bias.clone()
    one.prune(torch.tensor([1, 0, 1, 1, 1, 1]).bool())
    assert torch.equal(one.last_layer.bias, bias)
    assert one(feats).shape == (5, 3)
