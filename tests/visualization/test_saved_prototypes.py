import json

import pytest
from PIL import Image

from mmproto.errors import InputError
from mmproto.visualization.prototype_sheet import prototype_sheet
from mmproto.visualization.saved_prototypes import saved_image, saved_prototypes

RECORD = dict(
    prototype=0, class_index=0, class_name='a', image=None, image_index=3, location=[1, 2],
    distance=0.5,
)  # fmt: skip


def write(folder, *records):
    folder.mkdir(exist_ok=True)
    (folder / 'prototypes.json').write_text(json.dumps(records))
    return folder


@pytest.mark.parametrize(
    'change',
    [
        dict(prototype='../0'), dict(prototype=None), dict(class_index=[0]), dict(location=3),
        dict(location=[1, 2, 3]), dict(distance='x'), dict(class_name=7), dict(image={}),
    ],
)  # fmt: skip
def test_an_odd_record_is_named(tmp_path, change):
    folder = write(tmp_path, RECORD, {**RECORD, **change})
    with pytest.raises(InputError, match=rf'is damaged \(the list\[1\]\.{next(iter(change))}'):
        saved_prototypes(folder)
    for other in ({}, [], 3, None):
        (folder / 'prototypes.json').write_text(json.dumps([RECORD, other]))
        with pytest.raises(InputError, match='is damaged'):
            saved_prototypes(folder)


def test_an_image_outside_the_folder_is_not_shown(tmp_path):
    folder = write(tmp_path / 'push', RECORD)
    Image.new('RGB', (9, 9), 'red').save(tmp_path / 'private.jpg')
    for part in ('image', 'crop'):
        (folder / f'00000_{part}.jpg').symlink_to(tmp_path / 'private.jpg')
    assert saved_image(folder, 0, 'crop') is None
    with pytest.raises(InputError, match='has not all images of prototype 0'):
        prototype_sheet(folder)
    (folder / '00000_crop.jpg').unlink()
    Image.new('RGB', (9, 9), 'red').save(folder / '00000_crop.jpg')
    assert saved_image(folder, 0, 'crop')[..., 2].min() > 240


def test_a_sheet_of_too_many_prototypes_is_refused(tmp_path):
    one = [dict(RECORD, prototype=n) for n in range(2000)]
    folder = write(tmp_path, *one, *(dict(RECORD, class_index=n) for n in range(1, 2000)))
    with pytest.raises(InputError, match=r'the sheet of .* of 2000 classes, has'):
        prototype_sheet(folder)
