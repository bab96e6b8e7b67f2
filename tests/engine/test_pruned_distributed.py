"""Two processes train on from a pruned checkpoint."""

import os
from statistics import fmean

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import METRICS, MODELS

from mmproto.engine.push_record import PushRecord, epoch_folder
from mmproto.models import unwrap_model
from mmproto.utils.command_line import _set_up_processes
from tests.toy import model_config, train_config


@METRICS.register_module()
class MeanProbability(BaseMetric):
    """Mean probability of the first class: unlike an accuracy it moves with every feature."""

    def process(self, data_batch, data_samples):
        self.results += [float(sample['pred_score'][0]) for sample in data_samples]

    def compute_metrics(self, results):
        return {'first class': fmean(results)}


class NoteProbability(Hook):
    """Notes that mean over all images with one process's model, before and after the push."""

    priority = 'ABOVE_NORMAL'

    def after_train_epoch(self, runner):
        if runner.epoch == 3:
            self.before = self.mean(runner)

    def before_train_epoch(self, runner):
        if runner.epoch == 4:
            self.after = self.mean(runner)

    @torch.no_grad()
    def mean(self, runner):
        model, dataset = unwrap_model(runner.model).eval(), runner.val_dataloader.dataset
        inputs = [dataset[index]['inputs'] for index in range(len(dataset))]
        data = model.data_preprocessor(dict(inputs=inputs), training=False)
        return model(data['inputs'], mode='tensor').softmax(dim=1)[:, 0].mean().item()


class OwnStatistics(Hook):
    """Gives a process batch norm statistics of its own, as training does."""

    priority = 'ABOVE_NORMAL'

    def after_train_epoch(self, runner):
        unwrap_model(runner.model).backbone.bn.running_mean += 1


def train(rank, folder):
    """One of two processes, started as tools/dist_train.sh starts it."""
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT='29618', RANK=str(rank), WORLD_SIZE='2')
    os.environ['LOCAL_RANK'] = str(rank)
    torch.set_num_threads(1)
    cfg = Config(train_config(folder, load_from=f'{folder}/pruned.pth', launcher='pytorch'))
    _set_up_processes(cfg, type('Args', (), dict(local_rank=rank, launcher='pytorch')))
    cfg.custom_hooks.append(dict(type='PrototypeVisualizationHook'))
    cfg.val_evaluator = dict(type='MeanProbability')
    cfg.default_hooks.checkpoint.save_best = None
    runner, noted = Runner.from_cfg(cfg), NoteProbability()
    runner.register_hook(noted if rank == 0 else OwnStatistics())
    model = unwrap_model(runner.train())
    torch.save(dict(state=model.state_dict(), **vars(noted)), f'{folder}/rank{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_processes_train_on_from_a_pruned_checkpoint(tmp_path):
    init_default_scope('mmpretrain')
    model = MODELS.build(model_config())
    model.head.prune(torch.tensor([True, False, True, True, True, False]))
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / 'pruned.pth')
    mp.spawn(train, (str(tmp_path),), nprocs=2)
    saved = [torch.load(tmp_path / f'rank{rank}.pth', weights_only=False) for rank in range(2)]
    one, other = (each['state'] for each in saved)
    for name in ('head.prototype_vectors', 'head.last_layer.weight'):
        assert one[name].shape == model.state_dict()[name].shape
        assert torch.equal(one[name], other[name])
        assert not torch.equal(one[name], model.state_dict()[name])
    record = PushRecord.load(epoch_folder(tmp_path, 4))
    assert record.prototypes == 4
    # Before a push each process has statistics of its own: those of the first count.
    assert record.before == {'first class': pytest.approx(saved[0]['before'])}
    assert record.after == {'first class': pytest.approx(saved[0]['after'])}
    assert len(list(epoch_folder(tmp_path, 4).glob('*.jpg'))) == 3 * 4
