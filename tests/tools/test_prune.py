"""The command line that prunes, on one process and on two, on rendered birds."""

import sys

import pytest
import torch
from mmpretrain import get_model

from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.visualization.prototype_images import SavedImages
from tests.command import run_command
from tests.pushed_birds import (
    CONFIG,
    birds_fixture,  # noqa: F401
    config_fixture,  # noqa: F401
    push_and_save,
)

TWO_PROCESSES = [
    '-m', 'torch.distributed.run', '--nproc_per_node', '2', '--master_port', '29653'
]  # fmt: skip


@pytest.fixture(scope='module')
def checkpoint(config, tmp_path_factory):
    torch.manual_seed(0)
    return push_and_save(get_model(config), config, tmp_path_factory.mktemp('work'))


def prune(birds, checkpoint, out, *options, launcher=()):
    """Runs the command; gives what it printed, and the state that it saved."""
    command = ('tools/prune.py', CONFIG, checkpoint, '--out', out, *options)
    code, text = run_command(
        *command, '--work-dir', out.parent / 'work',
        launcher=(sys.executable, *launcher), DATA_ROOT=str(birds),
    )  # fmt: skip
    assert code == 0, text
    return text, torch.load(out)['state_dict']


@pytest.mark.slow
def test_two_processes_prune_as_one(birds, config, checkpoint):
    options = ['--k', '4', '--threshold', '2', '--keep-last-layer']
    text, state = prune(birds, checkpoint, checkpoint.with_name('one.pth'), *options)
    kept = len(state['head.prototype_class'])
    assert 12 <= kept < 60
    assert f'Prune: {kept} of 60 prototypes stay' in text
    assert 'would have lost all of its prototypes: it keeps' in text
    assert 'Prune: accuracy/top1 was ' in text
    assert 'Next: tools/test.py' in text
    _, of_two = prune(
        birds, checkpoint, checkpoint.with_name('two.pth'), *options, '--launcher', 'pytorch',
        launcher=TWO_PROCESSES,
    )  # fmt: skip
    assert state.keys() == of_two.keys()
    for name, value in state.items():
        assert torch.equal(value, of_two[name]), name

    # Pages find the images of the push by patch, whatever number a prototype has now.
    inferencer = ProtoPNetInferencer(config, str(checkpoint.with_name('two.pth')))
    gallery, before = inferencer.gallery, torch.load(checkpoint)['state_dict']
    assert isinstance(gallery, SavedImages)
    for j, vector in enumerate(state['head.prototype_vectors']):
        number = gallery.records[j].prototype
        assert torch.equal(before['head.prototype_vectors'][number], vector)
        assert gallery.images(j) is not None


@pytest.mark.slow
def test_the_last_layer_is_solved_again(birds, checkpoint):
    options = ['--prototypes', '5', '6', '7', '8', '9', '--allow-empty']
    text, state = prune(birds, checkpoint, checkpoint.with_name('listed.pth'), *options)
    assert 'Prune: 55 of 60 prototypes stay' in text
    assert ' has no prototype any more' in text
    assert 'the last layer is solved again: ' in text
    assert 1 not in state['head.prototype_class']
    assert (state['head.last_layer.weight'] == 0).float().mean() > 0.5
