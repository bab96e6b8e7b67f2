import pytest
import torch
import torch.multiprocessing as mp
from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.engine.prototype_start import begin_at_patches
from mmproto.errors import InputError
from tests.pushing import own_patch_scores
from tests.toy import loader, model_config, train_config

SETTINGS = dict(per_class=60, seed=3)


def build_model(kind='linear', **head):
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    config = model_config(**head)
    config['neck']['kind'] = kind
    return MODELS.build(config)


def build_loader(**settings):
    return Runner.build_dataloader(ConfigDict(loader(count=37, size=48, **settings)))


@pytest.mark.parametrize('kind', ['linear', 'regular'])
@pytest.mark.parametrize('size', [1, (2, 1)])
@pytest.mark.parametrize(('similarity', 'best'), [('cosine', 10.0), ('log', 9.2103)])
def test_prototypes_are_patches_of_their_class(kind, size, similarity, best):
    model = build_model(kind, similarity=similarity, prototype_size=size)
    dataloader = build_loader()
    begin_at_patches(model, dataloader, **SETTINGS)
    dataset = dataloader.dataset
    labels = [int(dataset[i]['data_samples'].gt_label) for i in model.head.prototype_image]
    assert labels == model.head.prototype_class.tolist()
    assert model.head.prototypes_are_patches
    assert len(model.head.prototype_image.unique()) == len(labels)
    scores = own_patch_scores(model, dataset)
    assert torch.allclose(scores, torch.full_like(scores, best), atol=5e-3)  # 1e-7 of a distance


def run_process(rank, folder):
    torch.distributed.init_process_group(
        'gloo', f'file://{folder}/rendezvous', rank=rank, world_size=2
    )
    model = build_model(similarity='cosine')
    # With another seed the second would choose others, as where a machine rounds otherwise.
    begin_at_patches(model, build_loader(), SETTINGS['per_class'], SETTINGS['seed'] + rank)
    torch.save(model.state_dict(), f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


def test_two_processes_begin_as_one_does(tmp_path):
    model = build_model(similarity='cosine')
    begin_at_patches(model, build_loader(batch_size=7), **SETTINGS)
    mp.spawn(run_process, (str(tmp_path),), nprocs=2)
    for rank in range(2):
        state = torch.load(tmp_path / f'{rank}.pth')
        for name, value in model.state_dict().items():
            assert torch.equal(state[name], value), name


def test_too_few_patches_are_one_line():
    model = build_model(prototypes_per_class=100)
    with pytest.raises(InputError, match=r'class 0 has \d+ patches to begin 100 prototypes at'):
        begin_at_patches(model, build_loader(), per_class=10)


class Watch(Hook):
    """Notes the prototypes when the first epoch starts."""

    def before_train_epoch(self, runner):
        head = runner.model.head
        if runner.epoch == 0:
            self.patches = bool(head.prototypes_are_patches)
            self.vectors = head.prototype_vectors.detach().clone()


def train(config):
    runner, watch = Runner.from_cfg(config), Watch()
    runner.register_hook(watch)
    runner.train()
    return watch


def test_a_training_begins_so_but_for_prototypes_that_a_checkpoint_brings(tmp_path):
    hooks = [
        dict(type='PrototypePushHook'),
        dict(type='PrototypeStartHook'),
        dict(type='SolverHook'),
    ]
    first = train(train_config(tmp_path / 'first', custom_hooks=hooks))
    assert first.patches
    again = train_config(tmp_path / 'again', custom_hooks=hooks)
    again['load_from'] = str(tmp_path / 'first' / 'epoch_6.pth')
    pushed = torch.load(again['load_from'])['state_dict']['head.prototype_vectors']
    assert torch.equal(train(again).vectors, pushed)
