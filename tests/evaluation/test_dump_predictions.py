import mmengine
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample

from mmproto.evaluation import DumpPredictions


def evaluate(file):
    """An evaluator of two images, one of them right, after the evaluation."""
    metrics = [dict(type='DumpPredictions', out_file_path=str(file)), dict(type='Accuracy')]
    evaluator = Evaluator(metrics)
    for score in ([0.1, 0.9], [0.8, 0.2]):
        sample = DataSample().set_gt_label(1).set_pred_score(torch.tensor(score))
        sample.set_pred_label(int(score[1] > 0.5))
        evaluator.process([sample], dict(inputs=[torch.zeros(3, 2, 2)]))
    return evaluator, evaluator.evaluate(2)


def test_predictions_are_written(tmp_path):
    evaluator, metrics = evaluate(tmp_path / 'predictions.pkl')
    assert metrics == {'accuracy/top1': 50}
    assert evaluator.metrics[0].failure is None
    rows = mmengine.load(tmp_path / 'predictions.pkl')
    assert [round(float(row['pred_score'][1]), 1) for row in rows] == [0.9, 0.2]


def test_a_file_that_cannot_be_written_does_not_cost_the_metrics(small_disk):
    file = small_disk(None) / 'predictions.pkl'
    evaluator, metrics = evaluate(file)
    assert metrics == {'accuracy/top1': 50}
    dump = evaluator.metrics[0]
    assert isinstance(dump, DumpPredictions)
    assert dump.failure.filename == str(file)
