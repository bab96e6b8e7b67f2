from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmproto.apis.image_inputs import listed_images, unique_names
from mmproto.errors import InputError

ARRAY = np.zeros((4, 5, 3), np.uint8)


@pytest.fixture
def folder(tmp_path):
    for name in ('b.png', 'a.JPG'):
        Image.new('RGB', (5, 4)).save(tmp_path / name)
    (tmp_path / 'notes.txt').write_text('words')
    return tmp_path


def test_folders_files_and_arrays_are_listed_in_order(folder):
    listed = listed_images([ARRAY, folder, folder / 'b.png'])
    assert listed[0] is ARRAY
    assert listed[1:] == [str(folder / name) for name in ('a.JPG', 'b.png', 'b.png')]
    assert listed_images(ARRAY)[0] is ARRAY
    assert listed_images(str(folder / 'b.png')) == [str(folder / 'b.png')]


@pytest.mark.parametrize('wrong', ['notes.txt', 'none.png'])
def test_what_is_no_image_is_refused(folder, wrong):
    with pytest.raises(InputError, match=wrong):
        listed_images([folder / 'b.png', folder / wrong])


def test_a_folder_of_what_is_not_read_says_so(tmp_path):
    (tmp_path / 'a.heic').touch()
    with pytest.raises(InputError, match=r'there is no image in .* but 1 .heic: convert these'):
        listed_images(tmp_path)


def test_no_two_names_are_alike():
    files = ['x/a.png', 'y/a.jpg', 'index.png', ARRAY, 'image_3.png', 'n' * 200 + '.png']
    names = unique_names(files)
    assert names == ['a', 'a_2', 'index_2', 'image_3', 'image_3_2', 'n' * 100]
    assert all(Path(name).name == name for name in names)
