import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmproto.apis.image_reader import ImageReader
from mmproto.errors import InputError
from tests.pushed_birds import birds_fixture, config_fixture  # noqa: F401


@pytest.fixture
def photo(tmp_path):
    """A photo that no data set knows, not square."""
    path = tmp_path / 'photo.jpg'
    Image.effect_noise((150, 90), 80).convert('RGB').save(path)
    return str(path)


def test_an_image_of_the_test_set_is_read_as_there(config):
    reader = ImageReader(config)
    dataset = reader.dataset('test_dataloader')
    loaded = reader.read(dataset.get_data_info(5)['img_path'], 'five')
    assert torch.equal(loaded.inputs, dataset[5]['inputs'])
    assert loaded.true_class == int(dataset[5]['data_samples'].gt_label) == 5
    top, bottom, left, right = loaded.geometry.input_box
    assert (bottom - top) * (right - left) < 64 * 64


def test_any_other_image_is_taken_whole(config, photo):
    reader = ImageReader(config)
    for image, path in ((photo, photo), (cv2.imread(photo), None)):
        loaded = reader.read(image, 'photo')
        assert (loaded.name, loaded.path, loaded.true_class) == ('photo', path, None)
        assert loaded.geometry.input_box == (0, 90, 0, 150)
        assert np.array_equal(loaded.image, cv2.imread(photo))
    assert reader.warning is None


def test_data_sets_that_are_not_there_are_empty(config, photo, tmp_path):
    gone = Config(config.to_dict())
    for loader in ('push_dataloader', 'test_dataloader'):
        gone[loader].dataset.data_root = str(tmp_path / 'gone')
    reader = ImageReader(gone)
    assert len(reader.dataset('test_dataloader')) == 0
    assert 'images are taken whole' in reader.warning
    assert reader.read(photo, 'photo').true_class is None


def test_what_opencv_cannot_read_is_named(config, tmp_path):
    file = tmp_path / 'words.jpg'
    file.write_text('words')
    with pytest.raises(InputError, match=r'words\.jpg is a kind of image that OpenCV cannot'):
        ImageReader(config).read(str(file), 'words')
