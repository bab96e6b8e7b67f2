import numpy as np

from mmproto.analysis.image_patch import ImagePatch, LocatedMap, place_in
from mmproto.functional import Box
from tests.analysis.small_model import small_model


def test_the_box_is_around_the_peak():
    similarity_map = np.zeros((4, 4), np.float32)
    similarity_map[1, 2] = 1
    found = LocatedMap(1.0, (1, 2), similarity_map, (16, 32))
    patch = found.to_patch(small_model().head, 'test', 7, 3)
    assert patch == ImagePatch('test', 7, 3, 1.0, (1, 2), patch.box, (16, 32))
    assert isinstance(patch.box, Box)
    # the cell is 4 x 8 pixels large
    assert 3 <= patch.box.top < patch.box.bottom <= 9
    assert 14 <= patch.box.left < patch.box.right <= 26


def test_places_in_a_map():
    places = {(0, 0): 'corner', (4, 6): 'corner', (0, 3): 'border', (2, 6): 'border'}
    for location, place in {**places, (1, 1): 'inside', (3, 5): 'inside'}.items():
        assert place_in(location, (5, 7)) == place
        assert place_in(location, (4, 7)) == ''


def test_the_share_of_a_box():
    patch = ImagePatch('train', 0, 0, 1.0, (0, 0), Box(0, 8, 8, 24), (16, 32))
    assert patch.box_in_fractions == (0, 0.5, 0.25, 0.75)
    assert patch.box_share == 0.25
