"""Birds that lack a part, or have another's, or stand elsewhere: drawn, and as files."""

import hashlib
import io
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from mmproto.datasets.birds import BACKGROUND, VARIANTS, draw_scene, make_birds, species
from mmproto.datasets.cub import AnnotatedCUB
from tests.evaluation.measures.golden import golden_metrics

REPO = Path(__file__).parents[2]
TOOL = REPO / 'tools/make_birds.py'
PARTS = list(VARIANTS)
SETS = ['+'.join(some) for size in range(2, 7) for some in combinations(PARTS, size)]
CLASSES, TRAIN, TEST, SIZE = 2, 1, 2, 64


def scene(index, size=128, **change):
    return draw_scene(species(index % 12), size, np.random.default_rng([5, index]), **change)


def differs(one, other):
    return (np.asarray(one.image) != np.asarray(other.image)).any(axis=-1)


def stays_elsewhere(before, after, number):
    """Far from the part not a bit changes, and closer no more than an edge or a wing's shadow."""
    either = [np.asarray(one.part_mask) == number for one in (before, after)]
    either = np.logical_or(*either)
    change = np.abs(np.asarray(before.image, int) - np.asarray(after.image, int)).max(axis=-1)
    assert not change[~near(either, 12)].any()
    if PARTS[number - 1] != 'wing':
        assert change[~near(either, 3)].max() <= 24


def near(mask, pixels):
    return binary_dilation(mask, np.ones((3, 3)), iterations=pixels)


# Scenes


def test_scenes_without_intervention_are_what_they_were():
    digest = hashlib.sha256()
    for i in range(40):
        size = [64, 96, 128, 200][i % 4]
        plain = draw_scene(species(i), size, np.random.default_rng([3, i]))
        digest.update(plain.image.tobytes())
        digest.update(plain.mask.tobytes())
        digest.update(repr(sorted(plain.parts.items())).encode())
    assert digest.hexdigest() == '748dba59f02c80cc5aec89c2f7c86b7f6f7c8099ea680185cd90af1a837b5783'


@pytest.mark.parametrize('number', range(1, 7))
def test_only_the_part_changes_when_it_goes(number):
    part = PARTS[number - 1]
    for index in range(12):
        before, after = scene(index), scene(index, without=[part])
        of_part = np.asarray(before.part_mask) == number
        stays_elsewhere(before, after, number)
        # A plain crown is almost the bare head.
        if of_part.sum() > 30 and species(index % 12).crown != 'plain':
            assert differs(before, after)[of_part].mean() > 0.8
        assert not (np.asarray(after.part_mask) == number).any()


@pytest.mark.parametrize('number', range(1, 7))
def test_only_the_part_changes_when_it_is_exchanged(number):
    part = PARTS[number - 1]
    for index in range(0, 12, 2):
        before = scene(index)
        for variant in VARIANTS[part]:
            after = scene(index, swapped={part: variant})
            stays_elsewhere(before, after, number)
            of_part = np.asarray(after.part_mask) == number
            if of_part.sum() <= 30:
                continue
            changed = differs(before, after)[of_part].mean()
            own = variant == getattr(species(index % 12), part)
            assert changed == 0 if own else changed > 0.5


def test_a_long_tail_in_the_place_of_a_short_one_is_not_cut():
    index = next(i for i in range(12) if species(i).tail == 'square')
    tails = {
        variant: (np.asarray(scene(index, swapped={'tail': variant}).part_mask) == 5).sum()
        for variant in VARIANTS['tail']
    }
    assert tails['long'] > 1.2 * tails['square']


def test_several_parts_go_at_once_and_together_do_what_each_does():
    for index in range(6):
        before, bare = scene(index), scene(index, without=PARTS)
        assert set(np.unique(bare.part_mask)) <= {0, BACKGROUND}
        both = scene(index, without=['beak', 'tail'])
        beak, tail = scene(index, without=['beak']), scene(index, without=['tail'])
        changed = [differs(before, one) for one in (both, beak, tail)]
        assert (changed[0] == (changed[1] | changed[2])).all()


def test_a_missing_part_has_no_location():
    plain, bare = scene(0), scene(0, without=PARTS)
    gone = {name for name in plain.parts if name.split()[-1] in {*PARTS, 'leg'}}
    assert {'beak', 'crown', 'breast', 'tail', 'left leg', 'right leg'} <= gone
    assert set(bare.parts) == set(plain.parts) - gone


def test_another_background_leaves_the_bird():
    for index in range(8):
        before, after = scene(index), scene(index, background=77)
        assert before.part_mask == after.part_mask
        assert before.parts == after.parts
        behind = np.asarray(before.part_mask) == BACKGROUND
        changed = differs(before, after)
        assert not changed[~near(behind, 4)].any()
        assert changed[behind].mean() > 0.9
        assert differs(after, scene(index, background=78))[behind].mean() > 0.9


@pytest.mark.parametrize('change', [{'without': ['leg']}, {'swapped': {'leg': 'short'}}])
def test_there_is_no_other_part(change):
    with pytest.raises(ValueError, match='leg is no part of a bird; they are beak, crown, wing'):
        scene(0, **change)


def test_the_part_mask_agrees_with_the_mask_and_the_part_locations():
    named = {'beak': 1, 'crown': 2, 'breast': 4}
    for index in range(12):
        one = scene(index)
        mask, parts = np.asarray(one.mask) > 0, np.asarray(one.part_mask)
        assert set(np.unique(parts)) <= set(range(BACKGROUND + 1))
        assert not mask[parts == BACKGROUND].any()
        assert mask[(parts > 0) & (parts < BACKGROUND)].all()
        for name, number in named.items():
            if name in one.parts:
                assert one.part_mask.getpixel(one.parts[name]) == number


def test_the_part_mask_is_the_golden_one_but_for_shadows_and_soft_edges():
    """There, a part is what changes by its removal: the shadow is the wing's, soft edges count."""
    golden = golden_metrics('funnybirds')
    boxes = golden_metrics('base')['box'].reshape(12, 20, 4)
    confusion = np.zeros((8, 8), int)
    for (label, index), theirs in zip(golden['items'][::5], golden['part_map'][::5]):
        rng = np.random.default_rng([0, label, 40 + index])
        x1, y1, x2, y2 = boxes[label, index]
        cut = np.asarray(draw_scene(species(label), 128, rng).part_mask)[y1:y2, x1:x2]
        ours = cv2.resize(cut, (96, 96), interpolation=cv2.INTER_NEAREST)
        np.add.at(confusion, (theirs, ours), 1)
    assert list(golden['parts']) == PARTS
    assert confusion[7, 7] == confusion[7].sum() == confusion[:, 7].sum() - confusion[1:7, 7].sum()
    assert np.trace(confusion) > 0.965 * confusion.sum()
    confused = confusion - np.diag(np.diag(confusion))
    assert confused[1:7, 1:7].sum() < 0.002 * confusion[1:7].sum()


# Files


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('birds') / 'cub'
    return make_birds(root, CLASSES, TRAIN, TEST, SIZE, interventions=True)


def tree(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob('*')
        if path.is_file()
    }


def test_files_lie_beside_those_of_a_folder_without_interventions(folder, tmp_path):
    plain = tree(make_birds(tmp_path / 'plain', CLASSES, TRAIN, TEST, SIZE))
    files = tree(folder)
    assert plain.items() <= files.items()
    added = set(files) - set(plain)
    added -= {'interventions/swapped.txt', 'interventions/variants.txt'}
    changes = {f'{kind}/{part}' for kind in ('without', 'swapped') for part in PARTS}
    changes |= {f'without/{name}' for name in SETS}
    changes = {f'interventions/{change}' for change in {*changes, 'background'}}
    assert {path.rsplit('/', 2)[0] for path in added} == {'part_masks', *changes}
    for change in changes:
        assert len(list((folder / change).glob('*/*.jpg'))) == CLASSES * TEST


@pytest.mark.slow
def test_the_command_writes_the_same_bytes(folder, tmp_path):
    sizes = ('--classes', CLASSES, '--train', TRAIN, '--test', TEST, '--size', SIZE)
    arguments = map(str, (TOOL, tmp_path / 'cub', *sizes, '--interventions'))
    done = subprocess.run(
        [sys.executable, *arguments], cwd=REPO, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path / 'cub') == tree(folder)


def test_files_show_what_their_folders_say(folder):
    images = dict(line.split() for line in (folder / 'images.txt').read_text().splitlines())
    splits = dict(
        line.split() for line in (folder / 'train_test_split.txt').read_text().splitlines()
    )
    rows = [
        line.split() for line in (folder / 'interventions/swapped.txt').read_text().splitlines()
    ]
    tests = [image for image, train in splits.items() if train == '0']
    assert [row[:2] for row in rows] == [[image, part] for image in tests for part in PARTS]
    for image, part, variant in rows:
        label, index = divmod(int(image) - 1, TRAIN + TEST)
        bird = species(label)
        assert variant in VARIANTS[part]
        assert variant != getattr(bird, part)
        for kind, change in (('swapped', {part: variant}), ('without', [part])):
            rng = np.random.default_rng([0, label, index])
            expected = io.BytesIO()
            draw_scene(bird, SIZE, rng, **{kind: change}).image.save(expected, 'jpeg', quality=95)
            found = folder / 'interventions' / kind / part / images[image]
            assert found.read_bytes() == expected.getvalue()
        plain = draw_scene(bird, SIZE, np.random.default_rng([0, label, index]))
        with Image.open((folder / 'part_masks' / images[image]).with_suffix('.png')) as found:
            assert (np.asarray(found) == np.asarray(plain.part_mask)).all()
        with Image.open(folder / 'interventions/background' / images[image]) as found:
            change = np.abs(np.asarray(found, int) - np.asarray(plain.image, int)).mean(axis=-1)
        behind = np.asarray(plain.part_mask) == BACKGROUND
        assert change[behind].mean() > 1.5 * change[~near(behind, 3)].mean()
    exchanged = [variant for _, _, variant in rows]
    assert len({tuple(exchanged[k : k + 6]) for k in range(0, len(rows), 6)}) == len(tests)


def test_pictures_without_several_parts_are_the_scene_without_them(folder):
    lines = (folder / 'images.txt').read_text().splitlines()
    for label, name in ((0, 'beak+feet'), (1, 'beak+crown+wing+breast+tail+feet')):
        path = lines[label * (TRAIN + TEST) + TRAIN].split()[1]
        rng = np.random.default_rng([0, label, TRAIN])
        expected = io.BytesIO()
        drawn = draw_scene(species(label), SIZE, rng, without=name.split('+'))
        drawn.image.save(expected, 'jpeg', quality=95)
        assert (folder / 'interventions/without' / name / path).read_bytes() == expected.getvalue()


def test_the_data_set_reads_a_change_in_the_place_of_the_images(folder):
    plain = AnnotatedCUB(str(folder), split='test')
    changed = AnnotatedCUB(str(folder), split='test', lazy_init=True)
    changed.data_prefix = dict(img_path=str(folder / 'interventions/without/beak'))
    changed.full_init()
    assert len(changed) == len(plain) == CLASSES * TEST
    for one, other in zip(plain, changed):
        assert one['gt_label'] == other['gt_label']
        assert (
            one['img_path'].replace('/images/', '/interventions/without/beak/') == other['img_path']
        )
