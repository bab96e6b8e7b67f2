import json

import pytest
import torch
from mmpretrain.registry import MODELS

from mmproto.apis.apply_edits import apply_edits, check_edits
from mmproto.apis.edits import Edits, Forbidden
from mmproto.errors import InputError
from mmproto.models.heads.fingerprint import fingerprint
from tests.toy import model_config

CLASSES = ['wren', 'jay', 'owl']


@pytest.fixture
def head():
    torch.manual_seed(0)
    head = MODELS.build(model_config()).head
    head.prototype_image.copy_(torch.arange(6) * 3)
    head.prototype_location.copy_(torch.arange(12).view(6, 2))
    head.prototypes_are_patches.fill_(True)
    return head


def edits_of(head, **changes):
    return Edits(**{**dict(model=fingerprint(head), checkpoint='epoch_3.pth'), **changes})


def load(tmp_path, **fields):
    file = tmp_path / 'edits.json'
    file.write_text(json.dumps({**dict(model='f00', checkpoint='epoch_26.pth'), **fields}))
    return Edits.load(file)


def test_every_field_is_read(tmp_path):
    assert load(tmp_path) == Edits('f00', 'epoch_26.pth')
    assert load(
        tmp_path,
        remove=[3, 17],
        forbid=[dict(prototype=3, radius=0.5), dict(prototype=0)],
        only_on_objects=True,
        names={'5': 'red beak', '0': '<b>'},
    ) == Edits(
        model='f00',
        checkpoint='epoch_26.pth',
        remove=(3, 17),
        forbid=(Forbidden(3, 0.5), Forbidden(0, 0.0)),
        only_on_objects=True,
        names={5: 'red beak', 0: '<b>'},
    )


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        (dict(model=3), 'model takes a text, not 3'),
        (dict(checkpoint=''), 'checkpoint takes a text, not ""'),
        (dict(delete=[1]), 'the file has unknown delete: it takes checkpoint, forbid, model'),
        (dict(remove=3), 'remove takes a list of numbers'),
        (dict(remove=[-1]), 'remove takes numbers of prototypes, from 0, not -1'),
        (dict(remove=[True]), 'remove takes numbers of prototypes, from 0, not true'),
        (dict(remove=[1.0]), r'remove takes numbers of prototypes, from 0, not 1\.0'),
        (dict(forbid={}), 'forbid takes a list, not {}'),
        (dict(forbid=[3]), 'an entry of forbid takes an object, not 3'),
        (dict(forbid=[dict(radius=1)]), 'an entry of forbid misses prototype'),
        (dict(forbid=[dict(prototype=1, r=1)]), 'an entry of forbid has unknown r'),
        (dict(forbid=[dict(prototype='1')]), r'forbid\.prototype takes numbers'),
        (dict(forbid=[dict(prototype=1, radius=-1)]), r'forbid\.radius takes a number, at least 0'),
        (dict(forbid=[dict(prototype=1, radius=float('nan'))]), r'forbid\.radius takes .* NaN'),
        (dict(forbid=[dict(prototype=1, radius=10**400)]), r'forbid\.radius takes'),
        (dict(forbid=[dict(prototype=1, radius=False)]), r'forbid\.radius takes'),
        (dict(only_on_objects=1), 'only_on_objects takes true or false, not 1'),
        (dict(names=['red']), 'names takes an object'),
        (dict(names={'05': 'red'}), 'names takes numbers of prototypes, from 0, not "05"'),
        (dict(names={'9' * 5000: 'red'}), 'names takes numbers of prototypes'),
        (dict(names={'5': None}), r'names\.5 takes a text, not null'),
        (dict(names={'5': 'a' * 65}), 'takes at most 64'),
    ],
)
def test_every_field_is_checked(tmp_path, fields, message):
    with pytest.raises(InputError, match=rf'edits\.json: .*{message}'):
        load(tmp_path, **fields)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'is no JSON'),
        ('[' * 100000, 'is no JSON'),
        ('[]', 'the file takes an object'),
        ('{"model": "f00"}', 'the file misses checkpoint'),
    ],
)
def test_what_is_no_file_of_edits_is_refused(tmp_path, text, message):
    (tmp_path / 'edits.json').write_text(text)
    with pytest.raises(InputError, match=message):
        Edits.load(tmp_path / 'edits.json')
    with pytest.raises(InputError, match='cannot be read'):
        Edits.load(tmp_path / 'no.json')


def test_edits_are_made_real(head):
    vectors, weight = head.prototype_vectors.data.clone(), head.last_layer.weight.data.clone()
    edits = edits_of(
        head,
        remove=(0, 3, 3),
        forbid=(Forbidden(3, 0.5), Forbidden(4)),
        only_on_objects=True,
        names={3: 'perch', 4: 'red beak'},
    )
    check_edits(head, edits, CLASSES)
    apply_edits(head, edits)
    stay = [1, 2, 4, 5]
    assert torch.equal(head.prototype_vectors, vectors[stay])
    assert torch.equal(head.last_layer.weight, weight[:, stay])
    assert head.prototype_names == ['', '', 'red beak', '']
    assert head.forbidden_patch.tolist() == [[9, 6, 7], [12, 8, 9]]
    assert head.forbidden_radius.tolist() == [0.5, 0.0]
    assert head.only_on_objects

    apply_edits(head, edits_of(head, forbid=(Forbidden(0),)))  # what was decided stays
    assert head.forbidden_patch.tolist() == [[9, 6, 7], [12, 8, 9], [3, 2, 3]]
    assert head.only_on_objects


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(model='f00'), r'the edits are of epoch_3\.pth, of the model f00, but this'),
        (dict(remove=(6,)), r'there are no prototypes \[6\]'),
        (dict(forbid=(Forbidden(7),)), r'there are no prototypes \[7\]'),
        (dict(names={8: 'red'}), r'there are no prototypes \[8\]'),
        (dict(remove=(2, 3)), r'the last prototype of the classes jay: keep one of each'),
        (dict(remove=(0, 1, 2, 3, 4, 5)), 'remove takes all prototypes'),
    ],
)
def test_edits_that_cannot_be_made_are_refused(head, changes, message):
    with pytest.raises(InputError, match=message):
        check_edits(head, edits_of(head, **changes), CLASSES)


def test_a_class_may_be_emptied_if_asked(head):
    edits = edits_of(head, remove=(2, 3))
    check_edits(head, edits, CLASSES, allow_empty=True)
    apply_edits(head, edits)
    assert head.prototype_class.tolist() == [0, 0, 2, 2]


def test_only_patches_can_be_forbidden(head):
    head.prototypes_are_patches.fill_(False)
    with pytest.raises(InputError, match='are none: push it first'):
        check_edits(head, edits_of(head, forbid=(Forbidden(3),)), CLASSES)
    allowed = edits_of(head, remove=(1,), only_on_objects=True, names={1: 'red'})
    check_edits(head, allowed, CLASSES)
