import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmpretrain.registry import MODELS

from mmproto.errors import InputError
from mmproto.models.heads.prototype_names import decode_names, encode_name
from tests.toy import model_config

LINES = st.text(st.characters(exclude_categories=['Cc', 'Cs']), max_size=16)


@given(st.lists(LINES, min_size=1, max_size=4))
def test_names_come_back_as_they_went(names):
    rows = torch.stack([encode_name(name) for name in names])
    assert rows.dtype == torch.uint8
    assert rows.shape == (len(names), 64)
    assert decode_names(rows) == names


def test_a_name_may_fill_its_row():
    assert decode_names(encode_name('é' * 32)[None]) == ['é' * 32]


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('é' * 32 + 'a', r'has 65 bytes in UTF-8: a prototype takes at most 64'),
        ('two\nlines', 'has a line break'),
        ('a\0', 'control character'),
        ('\ud800', 'control character'),
    ],
)
def test_what_is_no_name_is_refused_and_names_nothing(name, message):
    head = MODELS.build(model_config()).head
    with pytest.raises(InputError, match=message):
        head.name_prototypes({0: 'red beak', 1: name})
    assert head.prototype_names == [''] * 6


def test_pruning_carries_the_names():
    head = MODELS.build(model_config()).head
    head.name_prototypes({1: 'wing', 4: '<b>beak</b>', 5: 'tail'})
    head.name_prototypes({5: ''})
    head.prune(torch.tensor([False, True, True, False, True, True]))
    assert head.prototype_names == ['wing', '', '<b>beak</b>', '']
