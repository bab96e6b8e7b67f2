import pytest
import torch

from mmproto.functional import locate_nearest, nearest_distances, squared_distances


@pytest.mark.parametrize('size', [(1, 1), (2, 3)])
def test_equals_the_loop_over_images_and_says_where(size):
    torch.manual_seed(0)
    features, prototypes = torch.rand(4, 5, 6, 7), torch.rand(8, 5, *size)
    distances, location = locate_nearest(features, prototypes)
    torch.testing.assert_close(distances, nearest_distances(features, prototypes))
    maps = squared_distances(features, prototypes)
    for image in range(4):
        for prototype in range(8):
            row, column = location[image, prototype].tolist()
            assert maps[image, prototype, row, column] == maps[image, prototype].min()


def test_a_prototype_that_equals_a_patch_is_found_at_distance_zero():
    torch.manual_seed(0)
    features = torch.rand(3, 128, 6, 7)
    patches = [features[image, :, 2:4, 3 + image : 5 + image] for image in range(3)]
    distances, location = locate_nearest(features, torch.stack(patches))
    assert distances.diagonal().tolist() == [0, 0, 0]
    assert location[range(3), range(3)].tolist() == [[2, 3], [2, 4], [2, 5]]
    assert locate_nearest(features.bfloat16(), torch.stack(patches))[0].dtype is torch.float32
