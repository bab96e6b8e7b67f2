from base64 import b64decode

import cv2
import numpy as np

from mmproto.analysis.image_patch import ImagePatch
from mmproto.functional import Box
from mmproto.visualization.drawing import thumbnail
from mmproto.visualization.patch_thumbnails import PATCH, patch_key, patch_thumbnails
from mmproto.visualization.prototype_images import input_image
from mmproto.visualization.thumbnails import Thumbnails
from tests.toy import ArrayDataset


class LoadCounting(ArrayDataset):
    """Flat quarters, which WebP keeps; counts how often an image is loaded."""

    def __init__(self, seed):
        super().__init__(seed=seed, size=32)
        self.images = self.images[:, ::16, ::16].repeat(16, axis=1).repeat(16, axis=2)
        self.loaded = []

    def __getitem__(self, index):
        self.loaded.append(index)
        return super().__getitem__(index)


def test_thumbnails_are_the_patches_and_stored_once():
    datasets = dict(train=LoadCounting(0), test=LoadCounting(1))
    places = [
        ('train', 3, Box(0, 16, 0, 16)),
        ('test', 3, Box(0, 16, 0, 16)),
        ('test', 3, Box(0, 16, 16, 32)),
        ('test', 5, Box(16, 32, 0, 16)),
    ]
    patches = [
        ImagePatch(split, image, 0, score, (0, 0), box)
        for split, image, box in places
        for score in (1.0, 2.0)
    ]
    store = Thumbnails()
    found = patch_thumbnails(patches, datasets, store)
    assert set(found) == {patch_key(patch) for patch in patches}
    assert (datasets['train'].loaded, sorted(datasets['test'].loaded)) == ([3], [3, 5])
    stored = [image for chunk in store.chunks() for image in chunk]
    assert len(stored) == 4
    for split, image, box in places:
        number = int(found[split, image, box].removeprefix('thumb:'))
        seen = cv2.imdecode(np.frombuffer(b64decode(stored[number]), np.uint8), 1)
        pixels = input_image(datasets[split], image)
        expected = thumbnail(pixels[box.top : box.bottom, box.left : box.right], PATCH)
        assert np.abs(seen.astype(int) - expected).mean() < 12
        assert max(seen.shape) == PATCH
