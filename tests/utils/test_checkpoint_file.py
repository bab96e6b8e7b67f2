"""Whatever a file holds, it is refused in one line or it is data."""

import os
import warnings

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint
from torch import nn

from mmproto.errors import InputError
from mmproto.utils.checkpoint_file import keep_own_checkpoints, read_checkpoint
from tests.odd_checkpoints import odd_files, odd_tensors

SAVED = dict(
    state_dict=nn.Linear(2, 3).state_dict(),
    meta=dict(epoch=3, dataset_meta=dict(classes=['a', 'b'])),
)
# Of odd tensors those that are what they should be, but for their numbers or their size.
PLAIN = {
    *('a longer one', 'a number alone', 'nothing', 'half precision', 'whole numbers'),
    *('no numbers', 'infinite', 'very large'),
}


@pytest.mark.parametrize('name', odd_files(SAVED, 'ran'))
def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path, name):
    file = tmp_path / 'odd.pth'
    file.write_bytes(odd_files(SAVED, tmp_path / 'ran')[name])
    for load in (read_checkpoint, CheckpointLoader.load_checkpoint):
        with pytest.raises(InputError) as error:
            load(str(file))
        assert str(error.value).startswith(str(file))
        assert '\n' not in str(error.value)
        assert 'weights_only' not in str(error.value)
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('name', odd_tensors(torch.zeros(3, 2)))
def test_a_state_dict_has_dense_tensors_of_numbers_alone(tmp_path, name):
    value = odd_tensors(torch.zeros(3, 2))[name]
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.save(dict(state_dict=dict(weight=value, bias=torch.zeros(3))), tmp_path / 'x.pth')
        if name in PLAIN:
            assert read_checkpoint(str(tmp_path / 'x.pth'))['state_dict']['weight'].dtype
        else:
            with pytest.raises(InputError, match=r"state_dict has a .* under 'weight'"):
                read_checkpoint(str(tmp_path / 'x.pth'))


def test_a_pipe_or_a_folder_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'pipe.pth')
    for path in (tmp_path / 'pipe.pth', tmp_path, '/dev/zero'):
        with pytest.raises(InputError, match='is no file but a folder, a pipe or a device'):
            read_checkpoint(str(path))
    with pytest.raises(InputError, match=r'there is no checkpoint no\.pth'):
        read_checkpoint('no.pth')


def test_what_mmengine_would_execute_is_left_out(tmp_path):
    torch.save({**SAVED, 'meta': dict(SAVED['meta'], config='x', cfg='y')}, tmp_path / 'x.pth')
    meta = read_checkpoint(str(tmp_path / 'x.pth'))['meta']
    assert meta == dict(epoch=3, dataset_meta=dict(classes=['a', 'b']), cfg='y')


@pytest.mark.parametrize(
    ('meta', 'message'),
    [
        (None, 'meta is no dict but a NoneType'),
        ('x', 'meta is no dict but a str'),
        (dict(dataset_meta=['a']), 'meta.dataset_meta is no dict'),
        (dict(dataset_meta=dict(classes=3)), 'classes is no list of names'),
        (dict(dataset_meta=dict(classes='ab')), 'classes is no list of names'),
        (dict(dataset_meta=dict(classes=[['a']])), 'classes is no list of names'),
    ],
)
def test_what_it_says_of_itself_is_checked(tmp_path, meta, message):
    torch.save(dict(SAVED, meta=meta), tmp_path / 'x.pth')
    with pytest.raises(InputError, match=message):
        read_checkpoint(str(tmp_path / 'x.pth'))


def test_a_bare_state_dict_is_one_and_keeps_its_versions(tmp_path):
    norm = nn.BatchNorm2d(2)
    torch.save(norm.state_dict(), tmp_path / 'x.pth')
    state = read_checkpoint(str(tmp_path / 'x.pth'))
    assert state._metadata == norm.state_dict()._metadata
    other = nn.BatchNorm2d(2)
    nn.init.uniform_(norm.weight)
    torch.save(norm.state_dict(), tmp_path / 'x.pth')
    load_checkpoint(other, str(tmp_path / 'x.pth'), strict=True)
    assert other.weight.equal(norm.weight)


def test_only_checkpoints_of_the_own_folder_are_kept_in_mind(tmp_path):
    (tmp_path / 'own').mkdir()
    for name in ('elsewhere.pth', 'own/best_3.pth', 'own/epoch_3.pth'):
        (tmp_path / name).touch()
    info = dict(
        best_ckpt=str(tmp_path / 'elsewhere.pth'), best_ckpt_a='/old/place/best_3.pth',
        last_ckpt='../own/epoch_3.pth', best_ckpt_b=['x'], best_score=0.5, best_score_a='much',
        keep_ckpt_ids=[1, '../../3', None, 2], epoch=3,
    )  # fmt: skip
    keep_own_checkpoints(info, str(tmp_path / 'own'))
    assert info == dict(
        best_ckpt=None,
        best_ckpt_a=str(tmp_path / 'own/best_3.pth'),
        last_ckpt=str(tmp_path / 'own/epoch_3.pth'),
        best_ckpt_b=None,
        best_score=0.5,
        keep_ckpt_ids=[1, 2],
        epoch=3,
    )
