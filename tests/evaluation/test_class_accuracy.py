import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook
from mmpretrain.structures import DataSample
from sklearn.metrics import balanced_accuracy_score, recall_score

LABELS = [0] * 90 + [1] * 8 + [3] * 2
PREDICTED = [0] * 89 + [1] + [0] * 6 + [1] * 2 + [3, 0]


def evaluate(classes, **settings):
    evaluator = Evaluator(dict(type='ClassAccuracy', **settings))
    evaluator.dataset_meta = dict(classes=classes)
    samples = [
        DataSample().set_gt_label(label).set_pred_score(torch.eye(4)[predicted])
        for label, predicted in zip(LABELS, PREDICTED)
    ]
    evaluator.process(samples[:70])
    evaluator.process(samples[70:])
    return evaluator.evaluate(len(samples))


def test_every_class_counts_the_same():
    metrics = evaluate(('healthy', 'ill', 'none', 'rare'))
    of_class = 100 * recall_score(LABELS, PREDICTED, average=None)
    balanced = 100 * balanced_accuracy_score(LABELS, PREDICTED)
    assert metrics == {
        'accuracy/balanced': pytest.approx(balanced),
        'accuracy/of/healthy': pytest.approx(of_class[0]),
        'accuracy/of/ill': pytest.approx(of_class[1]),
        'accuracy/of/rare': pytest.approx(of_class[2]),
    }
    assert all(type(value) is float for value in metrics.values())  # what a push reports


def test_without_names_and_with_too_many_classes():
    assert 'accuracy/of/3' in evaluate(())
    assert [*evaluate((), most_classes=2)] == ['accuracy/balanced']


def test_the_best_checkpoint_is_the_one_of_the_greatest():
    hook = CheckpointHook(save_best='accuracy/balanced')
    assert hook.rules == ['greater']
