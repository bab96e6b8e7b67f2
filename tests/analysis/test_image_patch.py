import numpy as np

from mmproto.analysis.image_patch import ImagePatch, LocatedMap
from mmproto.functional import Box
from tests.analysis.small_model import small_model


def test_the_box_is_around_the_peak():
    similarity_map = np.zeros((4, 4), np.float32)
    similarity_map[1, 2] = 1
    found = LocatedMap(1.0, (1, 2), similarity_map, (16, 32))
    patch = found.to_patch(small_model().head, 'test', 7, 3)
    assert patch == ImagePatch('test', 7, 3, 1.0, (1, 2), patch.box)
    assert isinstance(patch.box, Box)
    # the cell is 4 x 8 pixels large
    assert 3 <= patch.box.top < patch.box.bottom <= 9
    assert 14 <= patch.box.left < patch.box.right <= 26
