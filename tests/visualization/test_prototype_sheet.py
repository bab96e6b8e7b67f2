import json

import pytest
from PIL import Image

from mmproto.errors import InputError
from mmproto.visualization.prototype_sheet import GAP, LABEL, SIDE, prototype_sheet


@pytest.fixture
def push_folder(tmp_path):
    """Two prototypes of class 0, red and green, one of class 1, blue."""
    colours = ['#ff0000', '#00ff00', '#0000ff']
    for prototype, colour in enumerate(colours):
        for part, size in dict(image=(50, 100), crop=(20, 10)).items():
            Image.new('RGB', size, colour).save(tmp_path / f'{prototype:05d}_{part}.jpg')
    records = [
        dict(
            prototype=prototype,
            class_index=label,
            class_name=name,
            image=None,
            image_index=0,
            location=[0, 0],
            distance=0,
        )
        for prototype, (label, name) in enumerate([(0, 'a_b'), (0, 'a_b'), (1, None)])
    ]
    (tmp_path / 'prototypes.json').write_text(json.dumps(records))
    return tmp_path


def test_a_row_a_class_and_a_column_a_prototype(push_folder):
    sheet = prototype_sheet(push_folder)
    row, column = SIDE + LABEL + GAP, 2 * SIDE + 2 * GAP
    assert sheet.size == (2 * column + GAP, 2 * row + GAP)
    for prototype, (x, y) in enumerate([(0, 0), (1, 0), (0, 1)]):
        left, top = GAP + x * column, GAP + y * row + LABEL
        for place in (left + SIDE // 4, left + SIDE + 2 + SIDE // 2):  # image, crop
            colour = sheet.getpixel((place, top + SIDE // 4))
            assert colour.index(max(colour)) == prototype
            assert max(colour) > 240
    assert sheet.getpixel((GAP + column + SIDE // 4, GAP + row + LABEL + 5)) == (255, 255, 255)
    assert prototype_sheet(push_folder, classes=1).height == row + GAP


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match='is not there: give a folder'):
        prototype_sheet(tmp_path)
