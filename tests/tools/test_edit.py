"""tools/edit.py, run as a user runs it, on rendered birds."""

import json

import pytest
import torch
from mmpretrain import get_model

from mmproto.apis.classifier import load_classifier
from mmproto.models.heads.fingerprint import fingerprint
from tests.command import run_command
from tests.pushed_birds import (
    CONFIG,
    WICKED,
    birds_fixture,  # noqa: F401
    config_fixture,  # noqa: F401
    push_and_save,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def checkpoint(config, tmp_path_factory):
    torch.manual_seed(0)
    model = get_model(config)
    model.head.name_prototypes(dict(enumerate(WICKED)))
    return push_and_save(model, config, tmp_path_factory.mktemp('work'))


@pytest.fixture
def run(birds, tmp_path):
    def run(tool, *arguments):
        command = (f'tools/{tool}.py', CONFIG, *arguments, '--work-dir', tmp_path / 'work')
        return run_command(*command, DATA_ROOT=str(birds))

    return run


@pytest.fixture
def write(config, checkpoint, tmp_path):
    def write(**fields):
        head = load_classifier(config, str(checkpoint)).head
        known = dict(model=fingerprint(head), checkpoint=checkpoint.name)
        (tmp_path / 'edits.json').write_text(json.dumps({**known, **fields}))
        return tmp_path / 'edits.json'

    return write


def places(state):
    parts = state['head.prototype_image'][:, None], state['head.prototype_location']
    return torch.cat(parts, dim=1).tolist()


def test_decisions_are_made_real_and_hold_for_the_next_push(run, write, checkpoint, tmp_path):
    edits = write(
        remove=[3],
        forbid=[dict(prototype=3), dict(prototype=20, radius=0.0)],
        only_on_objects=True,
        names={'5': 'red beak'},
    )
    new, pushed = tmp_path / 'new.pth', tmp_path / 'pushed.pth'
    code, text = run('edit', checkpoint, edits, '--out', new)
    assert code == 0, text
    for line in (
        "Names: 5 is 'red beak'.",
        'Forbidden: the patches of prototypes 3, 20.',
        "Forbidden: patches outside the objects' boxes.",
        'Removed: prototypes 3.',
        'accuracy/top1 was ',
        f'tools/push.py {CONFIG} {new} --out NEW',
        f'tools/train.py {CONFIG} --cfg-options load_from={new}',
    ):
        assert line in text
    before, after = (torch.load(file)['state_dict'] for file in (checkpoint, new))
    stay = [j for j in range(60) if j != 3]
    assert torch.equal(after['head.prototype_vectors'], before['head.prototype_vectors'][stay])
    weight = before['head.last_layer.weight'][:, stay]
    assert not torch.equal(after['head.last_layer.weight'], weight)  # solved again
    assert after['head.forbidden_patch'].tolist() == [places(before)[j] for j in (3, 20)]
    standing = [j for j, place in enumerate(places(after)) if place in places(before)[3:21:17]]
    assert 19 in standing
    assert f'The prototypes {", ".join(map(str, standing))}, as they are numbered now' in text

    code, text = run('push', new, '--out', pushed)
    assert code == 0, text
    moved = torch.load(pushed)['state_dict']
    assert not any(place in after['head.forbidden_patch'].tolist() for place in places(moved))
    changed = [j for j in range(59) if places(moved)[j] != places(after)[j]]
    assert changed == standing
    records = json.loads((tmp_path / 'pushed_prototypes' / 'prototypes.json').read_text())
    names = {one['prototype']: one['name'] for one in records if one['name']}
    assert names == {0: WICKED[0], 1: WICKED[1], 2: WICKED[2], 4: 'red beak'}


def test_the_last_layer_can_be_kept_and_a_class_emptied(run, write, checkpoint, tmp_path):
    edits, new = write(remove=[5, 6, 7, 8, 9]), tmp_path / 'new.pth'
    code, text = run('edit', checkpoint, edits, '--out', new)
    assert code != 0
    name = torch.load(checkpoint)['meta']['dataset_meta']['classes'][1]
    assert text.splitlines()[-1].startswith(
        f'error: remove takes the last prototype of the classes {name}: keep one'
    )
    assert not new.exists()
    code, text = run('edit', checkpoint, edits, '--out', new, '--allow-empty', '--keep-last-layer')
    assert code == 0, text
    before, after = (torch.load(file)['state_dict'] for file in (checkpoint, new))
    stay = [*range(5), *range(10, 60)]
    kept = before['head.last_layer.weight'][:, stay]
    assert torch.equal(after['head.last_layer.weight'], kept)

    # They are of the model before.
    code, text = run('edit', new, edits, '--out', tmp_path / 'twice.pth')
    assert code != 0
    assert 'error: the edits are of epoch_1.pth, of the model' in text.splitlines()[-1]
    assert 'Traceback' not in text
