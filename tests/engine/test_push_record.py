import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from mmproto.engine.push_certificate import PushCertificate
from mmproto.engine.push_record import (
    PushRecord,
    SharedPatches,
    epoch_folder,
    epoch_folders,
    push_record,
)
from mmproto.models import ProtoPNetHead

NAMES = SimpleNamespace(metainfo=dict(classes=('wren', 'robin', 'owl')))
# (class, image, row, column, distance) of each prototype
PROTOTYPES = [
    (0, 3, 1, 0, 0.5),
    (0, 3, 1, 0, 0.25),  # the patch of the one before
    (1, 3, 0, 1, 1.0),
    (1, 4, 0, 1, 2.0),
    (1, 4, 0, 1, 0.0),  # likewise
    (-1, 5, 0, 0, 0.25),
]

HOLDS = dict(correct=7, A1=1, A2=3, A3=8, A4=0)
CERTIFICATE = PushCertificate(8, 6, certified=4, by_moves=1, by_theorem=0, assumptions=HOLDS)


@pytest.fixture
def record():
    label, image, row, column, distance = zip(*PROTOTYPES)
    head = ProtoPNetHead(3, prototypes_per_class=None, num_prototypes=len(PROTOTYPES))
    head.prototype_class.copy_(torch.tensor(label))
    head.prototype_image.copy_(torch.tensor(image))
    head.prototype_location.copy_(torch.tensor([row, column]).T)
    head.prototype_distance.copy_(torch.tensor(distance))
    return push_record(
        head,
        NAMES,
        epoch=11,
        before={'accuracy/top1': 71.5, 'accuracy/top5': 90.0},
        after={'accuracy/top1': 68.25, 'loss': 1.0},
        certificate=CERTIFICATE,
    )


def test_the_record_says_what_the_push_did(record):
    assert record == PushRecord(
        epoch=11,
        prototypes=6,
        patches=4,
        classes=3,
        mean_distance=pytest.approx(4 / 6),
        max_distance=2.0,
        shared=[SharedPatches(0, 'wren', 2, 1), SharedPatches(1, 'robin', 3, 2)],
        before={'accuracy/top1': 71.5, 'accuracy/top5': 90.0},
        after={'accuracy/top1': 68.25, 'loss': 1.0},
        certificate=CERTIFICATE,
    )


def test_the_record_in_words(record):
    assert record.summaries() == [
        '6 prototypes moved by a distance of 0.6667 on average and 2.0000 at most, onto '
        '4 different patches (2 share the patch of another)',
        '75.0 % of 8 images keep their prediction; 50.0 % were certified to (12.5 % by the sizes '
        'of the moves alone, 0.0 % by the theorem of the paper, whose assumptions hold: '
        'correct for 7, A1 for 1, A2 for 3, A3 for 8, A4 for 0)',
    ]
    assert record.changes() == ['accuracy/top1 was 71.50 and is 68.25']
    assert record.scalars() == {
        'push/mean_distance': record.mean_distance,
        'push/patches': 4,
        'push/accuracy/top1/before': 71.5,
        'push/accuracy/top1/after': 68.25,
        'push/unchanged': 75,
        'push/certified': 50,
        'push/by_moves': 12.5,
        'push/by_theorem': 0,
    }


def test_classes_that_collapse_are_named(record):
    (warning,) = record.warnings()  # three prototypes on two patches are no collapse
    assert 'collapse onto few patches in 1 of 3 classes (0 (wren): 2 on 1)' in warning


@pytest.mark.parametrize(('after', 'count'), [(35.7, 1), (35.8, 0)])
def test_half_of_the_accuracy_lost_is_named(record, after, count):
    found = replace(record, after={'accuracy/top1': after, 'loss': 0.1}).losses()
    assert len(found) == count
    assert all('accuracy/top1 is less than half of what it was, 35.70 after' in s for s in found)


def test_prototypes_apart_give_no_warning(record):
    apart = PushRecord(**{**vars(record), 'shared': []})
    assert apart.warnings() == []


def test_a_saved_record_is_loaded_again(record, tmp_path):
    folder = epoch_folder(tmp_path, 11)
    record.save(folder)
    assert [file.name for file in folder.iterdir()] == ['push.json']
    assert PushRecord.load(folder) == record


def test_a_record_of_before_there_were_certificates_is_loaded(record, tmp_path):
    record.save(tmp_path)
    file = tmp_path / PushRecord.FILE
    data = json.loads(file.read_text())
    del data['certificate']
    file.write_text(json.dumps(data))
    assert PushRecord.load(tmp_path) == replace(record, certificate=None)
    data['certificate'] = dict(images=3)
    file.write_text(json.dumps(data))
    with pytest.raises(ValueError, match='certificate misses assumptions, by_moves'):
        PushRecord.load(tmp_path)


@pytest.mark.parametrize('text', ['', '[{"epoch": 1', '[]', '{}', '[3]', 'null', '\x00'])
def test_a_damaged_record_is_a_value_error(tmp_path, text):
    (tmp_path / 'push.json').write_text(text)
    with pytest.raises(ValueError):  # noqa: PT011
        PushRecord.load(tmp_path)


def test_folders_are_in_the_order_of_the_epochs(tmp_path):
    for name in ('epoch_9', 'epoch_10', 'epoch_last', 'epoch_'):
        (tmp_path / 'prototypes' / name).mkdir(parents=True)
    assert list(epoch_folders(tmp_path).items()) == [
        (epoch, epoch_folder(tmp_path, epoch)) for epoch in (9, 10)
    ]
    assert epoch_folders(tmp_path / 'gone') == {}
