"""What a stage freezes keeps nothing for a gradient, whatever wraps the model."""

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from tests.toy import RECIPE, model_config


@pytest.fixture(params=[False, True], ids=['plain', 'distributed'])
def model(request, tmp_path):
    torch.manual_seed(0)
    model = MODELS.build(model_config())
    if not request.param:
        yield model
        return
    torch.distributed.init_process_group(
        'gloo', f'file://{tmp_path}/rendezvous', rank=0, world_size=1
    )
    yield MMDistributedDataParallel(
        model, device_ids=None, broadcast_buffers=False, find_unused_parameters=True
    )
    torch.distributed.destroy_process_group()


class Kept:
    """Counts the numbers that a module keeps for the backward pass."""

    def __init__(self, module):
        self.count = 0
        module.register_forward_pre_hook(self.begin)
        module.register_forward_hook(self.end)

    def keep(self, tensor):
        self.count += tensor.numel()
        return tensor

    def begin(self, module, inputs):
        self.hooks = torch.autograd.graph.saved_tensors_hooks(self.keep, lambda tensor: tensor)
        self.hooks.__enter__()

    def end(self, module, inputs, outputs):
        self.hooks.__exit__(None, None, None)


def test_frozen_groups_keep_no_activations(model):
    samples = [DataSample().set_gt_label(label) for label in (0, 1, 2)]
    data = dict(inputs=torch.randint(256, (3, 3, 16, 16)), data_samples=samples)
    wrapper = build_optim_wrapper(model, RECIPE['optim_wrapper'])
    classifier = getattr(model, 'module', model)
    kept = {name: Kept(getattr(classifier, name)) for name in ('backbone', 'neck')}
    keeps = {}
    for stage in ('joint', 'warm', 'last_layer', 'joint'):
        wrapper.activate(stage, model, iterations=1)
        model.train()  # batch norm gathers statistics
        mean = classifier.backbone.bn.running_mean.clone()
        for one in kept.values():
            one.count = 0
        model.train_step(data, wrapper)
        assert not torch.equal(classifier.backbone.bn.running_mean, mean)
        keeps[stage] = [name for name, one in kept.items() if one.count]
    assert keeps == dict(joint=['backbone', 'neck'], warm=['neck'], last_layer=[])
