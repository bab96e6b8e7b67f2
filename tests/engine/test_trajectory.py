"""A whole training run of the reference implementation, through MMEngine's Runner."""

import copy
import json

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tests.toy import (
    DATA,
    RECIPE,
    STAGES,
    golden,
    golden_config,
    golden_weights,
    load_weights,
    loader,
    our_name,
    train_config,
)


class Snapshots(Hook):
    """Keeps the weights after every epoch, before and after the push."""

    def __init__(self, name, kept):
        self.name, self.kept = name, kept

    def after_train_epoch(self, runner):
        state = {key: value.clone() for key, value in runner.model.state_dict().items()}
        self.kept[f'{self.name}{runner.epoch:02d}'] = state


def test_every_snapshot_of_the_reference(tmp_path):
    arrays, meta = golden('trajectory')
    weights = golden_weights(arrays, 'initial/')
    data = dict(file=str(DATA / 'trajectory.npz'), batch_size=meta['batch_size'])
    config = train_config(
        tmp_path,
        model=golden_config(meta, weights),
        train_dataloader=loader(**data),
        push_dataloader=loader(**data),
        val_dataloader=loader(split='test', **data),
        param_scheduler=copy.deepcopy(RECIPE['param_scheduler']),
    )
    config['optim_wrapper']['stages'] = copy.deepcopy(STAGES)
    config['optim_wrapper']['schedule'] = dict(
        warm_epochs=meta['warm_epochs'],
        epochs=meta['epochs'],
        push_epochs=meta['push_epochs'],
        last_layer_epochs=meta['last_layer_epochs_after_push'],
        last_push=False,
    )
    # This run is shorter: it decays with every second joint epoch, the paper's with every fifth.
    config['param_scheduler']['joint'][0]['milestones'] = [1, 3, 5]
    runner = Runner.from_cfg(config)
    load_weights(runner.model, weights)
    epochs, after = {}, {}
    runner.register_hook(Snapshots('', epochs), priority='HIGH')
    runner.register_hook(Snapshots('push_after_', after), priority='LOW')
    model = runner.train()

    order = json.loads(str(arrays['order']))
    assert len(order) == 16
    for name in order[1:]:
        state = after[name] if name.startswith('push') else epochs[name[:2]]
        for key, expected in arrays.items():
            if key.startswith(f'{name}/') and not key.endswith(('test_accuracy', 'boxes')):
                ours = state[our_name(key.split('/', 1)[1])].numpy()
                np.testing.assert_allclose(ours, expected, rtol=0, atol=5e-4, err_msg=key)

    images = torch.from_numpy(arrays['test/images']).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        logits = model.eval()(images).numpy()
    np.testing.assert_allclose(logits, arrays['final/test_logits'], rtol=0, atol=1e-2)
