"""What a push notes of the validation set, on one process and on two."""

import os

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmproto.engine.push import watched_push
from mmproto.engine.push_certificate import MoveWatcher, PushCertificate
from mmproto.engine.push_dataloader import build_push_dataloader
from mmproto.engine.validation import validate
from mmproto.models import unwrap_model
from mmproto.utils.command_line import _set_up_processes
from tests.toy import loader, model_config, train_config

IMAGES = 37  # no multiple of two processes times a batch


def push(folder, similarity='log', **changes):
    """Push a model of random weights whose prototypes are close to patches."""
    config = train_config(
        folder,
        model=model_config(similarity=similarity),
        val_dataloader=loader(seed=2, count=IMAGES, batch_size=5),
        **changes,
    )
    cfg = Config(config)
    _set_up_processes(
        cfg, type('Args', (), dict(local_rank=0, launcher=cfg.get('launcher', 'none')))
    )
    runner = Runner.from_cfg(cfg)
    head = unwrap_model(runner.model).head
    generator = torch.Generator().manual_seed(0)
    head.set_last_layer(torch.randn(head.last_layer.weight.shape, generator=generator))
    dataloader = build_push_dataloader(runner)
    watched_push(runner, dataloader)  # onto patches
    noise = torch.randn(head.prototype_vectors.shape, generator=generator)
    head.prototype_vectors.data += 0.02 * noise
    head.constrain()
    predictions = predicted(runner)
    _, record = watched_push(runner, dataloader, epoch=3)
    return record, (predictions == predicted(runner)).sum().item()


def predicted(runner):
    """Predictions of all images by one batch."""
    model, dataset = unwrap_model(runner.model), runner.val_dataloader.dataset
    inputs = [dataset[index]['inputs'] for index in range(len(dataset))]
    with torch.no_grad():
        data = model.data_preprocessor(dict(inputs=inputs), training=False)
        return model(data['inputs'], mode='tensor').argmax(dim=1)


@pytest.mark.parametrize(
    'similarity', ['log', 'linear', 'cosine', dict(type='ManhattanSimilarity')]
)
def test_a_push_counts_what_it_was_certain_not_to_change(tmp_path, similarity):
    record, unchanged = push(tmp_path, similarity)
    certificate = record.certificate
    assert record.epoch == 3
    assert certificate.images == IMAGES
    assert certificate.unchanged == unchanged > 0
    if isinstance(similarity, dict):
        assert certificate.certified is certificate.by_moves is certificate.assumptions is None
        assert 'the similarity names no metric, so none is certified' in str(certificate)
        assert certificate.percentages().keys() == {'unchanged'}
        return
    assert 0 < certificate.certified <= unchanged
    assert certificate.by_moves <= certificate.certified
    assert (certificate.by_theorem is None) == (similarity != 'log')
    assert ('theorem' in str(certificate)) == (similarity == 'log')


def test_without_a_validation_set_nothing_is_said(tmp_path):
    config = train_config(tmp_path, val_cfg=None, val_dataloader=None, val_evaluator=None)
    runner = Runner.from_cfg(config)
    _, record = watched_push(runner, build_push_dataloader(runner))
    assert record.certificate is None
    assert record.before == {}
    assert len(record.summaries()) == 1


def test_the_watch_sees_what_the_head_is_given(tmp_path):
    runner = Runner.from_cfg(train_config(tmp_path, val_dataloader=loader(seed=1, count=10)))
    seen = []

    def watch(feats, samples, images):
        logits = runner.model.head(feats)
        scores = torch.stack([sample.pred_score for sample in samples])
        seen.append((images, torch.equal(logits.softmax(dim=1), scores)))

    assert validate(runner, watch) == validate(runner)
    assert seen == [([0, 1, 2, 3], True), ([4, 5, 6, 7], True), ([8, 9], True)]
    assert not runner.model.neck._forward_hooks


def test_images_that_come_twice_count_once():
    init_default_scope('mmpretrain')
    head = MODELS.build(model_config()['head'])
    feats, samples = torch.rand(4, 6, 8, 8), [DataSample().set_gt_label(0)] * 4
    watcher = MoveWatcher(head, head.prototype_vectors + 0.1)
    watcher([feats], samples, [2, 0, 3, 1])
    watcher([feats[[1, 3]]], samples[:2], [0, 1])
    effect = watcher.effect()
    assert torch.equal(effect.before, head([feats[[1, 3, 0, 2]]]).argmax(dim=1))
    assert PushCertificate.of(effect).images == 4


def one_of_two(rank, folder):
    """One of two processes, started as tools/dist_train.sh starts it."""
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT='29627', RANK=str(rank), WORLD_SIZE='2')
    os.environ['LOCAL_RANK'] = str(rank)
    torch.set_num_threads(1)
    record, _ = push(f'{folder}/work', launcher='pytorch')
    torch.save(vars(record.certificate), f'{folder}/rank{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_count_as_one_does(tmp_path):
    record, _ = push(tmp_path / 'one')
    mp.spawn(one_of_two, (str(tmp_path),), nprocs=2)
    for rank in (0, 1):
        assert torch.load(tmp_path / f'rank{rank}.pth') == vars(record.certificate)
