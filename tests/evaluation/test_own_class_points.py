import os

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import METRICS, MODELS

from mmproto.errors import InputError
from tests.toy import loader, model_config, train_config

METRIC = dict(type='OwnClassPoints')


def build_model(**changes):
    torch.manual_seed(0)
    model = MODELS.build(model_config(**changes)).eval()
    torch.nn.init.normal_(model.head.last_layer.weight)
    return model


@torch.no_grad()
def by_loop(model, dataset):
    """Accuracy of own points and their mean fraction, an image and a prototype at a time."""
    correct, fractions = 0, []
    for item in dataset:
        inputs = model.data_preprocessor(dict(inputs=item['inputs'][None]))['inputs']
        outputs = model.head.outputs(model.extract_feat(inputs))
        own, absolute = [0.0] * 3, [[0.0, 0.0] for _ in range(3)]
        for label in range(3):
            for j, owner in enumerate(model.head.prototype_class.tolist()):
                points = float(outputs.scores[0, j] * outputs.last_layer_weight[label, j])
                own[label] += points * (owner == label)
                absolute[label][0] += abs(points) * (owner == label)
                absolute[label][1] += abs(points)
        label = int(item['data_samples'].gt_label)
        correct += own.index(max(own)) == label
        fractions.append(absolute[label][0] / absolute[label][1])
    return 100 * correct / len(dataset), sum(fractions) / len(fractions)


def expected(model, dataset):
    top1, fraction = by_loop(model, dataset)
    return {
        'own_class_points/top1': pytest.approx(top1),
        'own_class_points/fraction': pytest.approx(fraction, abs=1e-5),
    }


@pytest.mark.parametrize('changes', [{}, dict(similarity='linear'), dict(similarity='cosine')])
def test_it_agrees_with_a_plain_loop(changes):
    model = build_model(**changes)
    dataloader = Runner.build_dataloader(loader(count=11))
    metric = METRICS.build(METRIC)
    with torch.no_grad():
        for batch in dataloader:
            samples = [sample.to_dict() for sample in model.val_step(batch)]
            metric.process(batch, samples)
    assert metric.evaluate(11) == expected(model, dataloader.dataset)


def test_a_validation_reports_it_beside_the_accuracy(tmp_path):
    model = build_model()
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / 'model.pth')
    evaluator = [dict(type='Accuracy'), METRIC]
    config = train_config(tmp_path, val_evaluator=evaluator, load_from=str(tmp_path / 'model.pth'))
    runner = Runner.from_cfg(config)
    runner.load_or_resume()
    metrics = runner.val()
    assert 0 <= metrics.pop('accuracy/top1') <= 100
    assert metrics == expected(model, Runner.build_dataloader(loader(seed=1)).dataset)


def evaluate_share(rank, folder):
    """Evaluate every second image in one of two processes."""
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT='29631', RANK=str(rank), WORLD_SIZE='2')
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo', rank=rank, world_size=2)
    init_default_scope('mmpretrain')
    model, metric = build_model(), METRICS.build(METRIC)
    dataloader = Runner.build_dataloader(loader(batch_size=2, count=7))
    for batch in dataloader:
        samples = [sample.to_dict() for sample in model.val_step(batch)]
        metric.process(batch, samples)
    torch.save(metric.evaluate(7), f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_report_what_one_does(tmp_path):
    mp.spawn(evaluate_share, (str(tmp_path),), nprocs=2)
    one, other = (torch.load(tmp_path / f'{rank}.pth') for rank in range(2))
    dataset = Runner.build_dataloader(loader(count=7)).dataset
    assert one == other == expected(build_model(), dataset)


def test_predictions_of_another_head_are_refused():
    with pytest.raises(InputError, match='needs the predictions of a ProtoPNetHead itself'):
        METRICS.build(METRIC).process({}, [dict(gt_label=torch.tensor([0]))])
