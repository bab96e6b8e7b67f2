import pytest
import torch

from mmproto.errors import InputError
from mmproto.functional import unfold_patches


@pytest.mark.parametrize('size', [(1, 1), (2, 3)])
def test_patches_are_cut_row_by_row(size):
    features = torch.rand(2, 4, 3, 5)
    patches = unfold_patches(features, size)
    rows, columns = 3 - size[0] + 1, 5 - size[1] + 1
    assert patches.shape == (2, rows * columns, 4 * size[0] * size[1])
    for row in range(rows):
        for column in range(columns):
            cut = features[:, :, row : row + size[0], column : column + size[1]]
            assert torch.equal(patches[:, row * columns + column], cut.flatten(1))


def test_a_map_smaller_than_a_prototype_is_refused():
    with pytest.raises(InputError, match=r'prototype_size=\(3, 3\) does not fit the 2x5'):
        unfold_patches(torch.rand(1, 2, 2, 5), (3, 3))
