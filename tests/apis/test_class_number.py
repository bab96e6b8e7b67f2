import pytest

from mmproto.apis.class_number import class_number
from mmproto.errors import InputError

CLASSES = ['Blue_Jay', 'House Wren', '2']


@pytest.mark.parametrize(
    ('name', 'number'), [('Blue Jay', 0), ('Blue_Jay', 0), ('House_Wren', 1), (1, 1), ('0', 0)]
)
def test_a_class_is_found_by_its_name_or_number(name, number):
    assert class_number(CLASSES, name) == number


def test_a_name_wins_over_a_number():
    assert class_number(CLASSES, '2') == 2
    assert class_number(['1', '0'], '0') == 1


@pytest.mark.parametrize(('name', 'advice'), [('Blue Jey', 'nearest: Blue Jay'), (3, '0 to 2')])
def test_an_unknown_class_is_refused(name, advice):
    with pytest.raises(InputError, match=f'there is no class {name!r}.*{advice}'):
        class_number(CLASSES, name)
