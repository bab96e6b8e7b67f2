import pytest
from mmpretrain.registry import DATASETS

from mmproto.datasets.checks import labels_of
from mmproto.errors import InputError


@pytest.fixture
def images(tmp_path):
    lines = ''.join(f'{number}.png {number % 2}\n' for number in range(7))
    (tmp_path / 'list.txt').write_text(lines)
    return dict(type='CustomDataset', ann_file=str(tmp_path / 'list.txt'), pipeline=[])


@pytest.mark.parametrize(('least', 'length'), [(1, 7), (7, 7), (8, 14), (21, 21), (30, 35)])
def test_it_has_at_least_that_many_images(images, least, length):
    dataset = DATASETS.build(dict(type='RepeatToDataset', least=least, dataset=images))
    assert len(dataset) == len(labels_of(dataset)) == length
    assert dataset.get_data_info(length - 1)['gt_label'] == 0


@pytest.mark.parametrize('least', [0, -3, 2.5, True, None])
def test_other_numbers_are_refused(images, least):
    with pytest.raises(InputError, match='least='):
        DATASETS.build(dict(type='RepeatToDataset', least=least, dataset=images))
