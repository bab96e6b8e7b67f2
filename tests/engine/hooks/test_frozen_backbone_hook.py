import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmproto.errors import InputError
from tests.pushing import accuracy, own_patch_scores
from tests.toy import loader, train_config

FROZEN = dict(norm_eval=True, neck=dict(lr=1e-2), prototypes=dict(lr=1e-2))
HOOK = dict(type='FrozenBackboneHook')


class CountPasses(Hook):
    """Counts the images that go through the backbone from the first epoch on."""

    def before_train_epoch(self, runner):
        if runner.epoch == 0:
            self.images = 0
            runner.model.backbone.conv.register_forward_hook(self.count)

    def count(self, module, inputs, output):
        self.images += len(output)


def train(work_dir, hooks=(), stage=FROZEN, **changes):
    config = train_config(work_dir, **changes)
    config['optim_wrapper']['stages'] |= dict(warm=stage, joint=stage)
    config['custom_hooks'] += [dict(type='PrototypeStartHook', per_class=60), *hooks]
    runner = Runner.from_cfg(config)
    passes = CountPasses()
    runner.register_hook(passes)
    runner.train()
    return runner, passes.images


def test_it_trains_as_on_the_images_without_the_backbone(tmp_path):
    images, passed = train(tmp_path / 'images')
    maps, passed_once = train(tmp_path / 'maps', [HOOK])
    assert passed > 100
    assert passed_once == 0
    changed = maps.model.state_dict()
    for name, value in images.model.state_dict().items():
        torch.testing.assert_close(changed[name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_the_model_takes_images_again(tmp_path):
    runner, _ = train(tmp_path, [HOOK])
    model, dataset = runner.model, runner.train_dataloader.dataset.images
    scores = own_patch_scores(model, dataset)
    torch.testing.assert_close(scores, torch.full_like(scores, 9.2103), rtol=0, atol=1e-3)
    validated = runner.message_hub.get_scalar('val/accuracy/top1').current()
    assert validated == pytest.approx(accuracy(runner)[0], abs=1e-4)


@pytest.mark.parametrize(
    ('stage', 'changes', 'named'),
    [
        ({**FROZEN, 'backbone': dict(lr=1e-4)}, {}, 'stages.warm trains the backbone'),
        ({**FROZEN, 'norm_eval': False}, {}, 'stages.warm trains the backbone, or its batch norm'),
        (FROZEN, dict(train_dataloader=loader(shuffle=True, seed=5)), 'train_dataloader.dataset'),
    ],
)
def test_what_is_not_frozen_is_refused(tmp_path, stage, changes, named):
    with pytest.raises(InputError, match=named):
        train(tmp_path, [HOOK], stage, **changes)
