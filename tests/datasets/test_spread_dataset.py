import pytest

from mmproto.datasets.spread_dataset import SpreadDataset
from tests.toy import ArrayDataset


@pytest.mark.parametrize(
    ('most', 'numbers'), [(100, [*range(10)]), (10, [*range(10)]), (4, [0, 3, 6, 9]), (1, [0])]
)
def test_images_are_spread_evenly(most, numbers):
    dataset = ArrayDataset(count=10)
    some = SpreadDataset(dataset, most)
    assert len(some) == len(numbers)
    assert some.metainfo == dataset.metainfo
    for index, number in enumerate(numbers):
        assert some.get_data_info(index) == dataset.get_data_info(number)
        assert (some[index]['inputs'] == dataset[number]['inputs']).all()
