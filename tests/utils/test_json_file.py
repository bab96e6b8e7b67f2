import json
import os
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmproto.errors import InputError
from mmproto.utils.json_file import MOST_BYTES, parsed, read_json


@dataclass(frozen=True)
class Inner:
    count: int
    name: str | None = None


@dataclass(frozen=True)
class Record:
    place: tuple[int, int]
    share: float
    inner: list[Inner]
    known: dict[str, float] = field(default_factory=dict)
    own: Inner | None = None
    sound: bool = True


GOOD = dict(
    place=[1, 2], share=1, inner=[dict(count=3, name='x'), dict(count=4)], known=dict(a=0.5),
    own=dict(count=5), later='unknown',
)  # fmt: skip


def test_a_dataclass_is_read_and_what_it_knows_not_is_left_out():
    assert parsed(Record, GOOD, 'it') == Record(
        (1, 2), 1.0, [Inner(3, 'x'), Inner(4)], dict(a=0.5), Inner(5)
    )


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(place=[1]), r'it\.place takes a list'),
        (dict(place=[1, True]), r'it\.place\[1\] takes a whole number, not true'),
        (dict(share='x'), r'it\.share takes a number, not "x"'),
        (dict(share=10**400), r'it\.share takes a number'),
        (dict(inner=[3]), r'it\.inner\[0\] takes an object, not 3'),
        (dict(inner=[dict(name='x')]), r'it\.inner\[0\] misses count'),
        (dict(known=dict(a=None)), r'it\.known\.a takes a number, not null'),
        (dict(own=[]), r'it\.own takes an object'),
        (dict(sound=1), r'it\.sound takes true or false, not 1'),
    ],
)
def test_what_is_of_another_kind_is_named(change, message):
    with pytest.raises(InputError, match=message):
        parsed(Record, {**GOOD, **change}, 'it')


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*GOOD, 'sound']), VALUES))
def test_any_value_is_taken_or_named(change):
    try:
        record = parsed(Record, {**GOOD, **change}, 'it')
    except InputError:
        return
    assert isinstance(record.place, tuple)
    assert isinstance(record.share, float)
    assert all(isinstance(one, Inner) and type(one.count) is int for one in record.inner)


@pytest.mark.parametrize('text', ['', '{', '[' * 10**5, '\ufeff{', '"\\ud800"', '9' * 5000])
def test_what_is_no_json_is_named(tmp_path, text):
    (tmp_path / 'x.json').write_text(text)
    with pytest.raises(InputError, match=r'x\.json is no JSON'):
        read_json(tmp_path / 'x.json')
    (tmp_path / 'x.json').write_bytes(b'\xff\xfe')
    with pytest.raises(InputError, match=r'x\.json is no JSON'):
        read_json(tmp_path / 'x.json')


def test_what_is_no_file_or_too_large_is_not_read(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for path in (tmp_path, tmp_path / 'pipe', '/dev/zero'):
        with pytest.raises(InputError, match='is no file but'):
            read_json(path)
    with open(tmp_path / 'x.json', 'wb') as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(InputError, match='bytes, more than the'):
        read_json(tmp_path / 'x.json')
    (tmp_path / 'x.json').write_text(json.dumps(GOOD))
    assert read_json(tmp_path / 'x.json') == GOOD
