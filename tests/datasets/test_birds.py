"""The rendered birds: their design, their pictures, and the folder they are written to."""

import hashlib
import itertools
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmproto.datasets.birds import (
    CUB_PARTS,
    MAX_SPECIES,
    VARIANTS,
    Pose,
    draw_bird,
    draw_scene,
    make_birds,
    species,
)

REPO = Path(__file__).parents[2]
CLASSES, TRAIN, TEST, SIZE = 3, 3, 2, 64


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return make_birds(tmp_path_factory.mktemp('birds') / 'cub', CLASSES, TRAIN, TEST, SIZE)


def table(path):
    return [line.split(' ', 1) for line in path.read_text().splitlines()]


def tree(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob('*')
        if path.is_file()
    }


def mask_of(root, name):
    return np.asarray(Image.open(root / 'segmentations' / Path(name).with_suffix('.png')))


# The species


@pytest.mark.parametrize('count', [3, 4, 6, 8, 9, 10, 12, 20, 30, MAX_SPECIES])
def test_no_single_part_tells_all_species_apart(count):
    birds = [asdict(species(number)) for number in range(count)]
    for part, variants in VARIANTS.items():
        shared = Counter(bird[part] for bird in birds)
        assert set(shared) <= set(variants)
        assert len(shared) < count
        if count == 4 or count >= 8:
            assert min(shared.values()) >= 2, part


def test_any_two_species_differ_in_four_parts_or_more():
    birds = [species(number) for number in range(MAX_SPECIES)]
    assert MAX_SPECIES >= 30
    for one, other in itertools.combinations(birds, 2):
        named = [part for part in VARIANTS if getattr(one, part) != getattr(other, part)]
        assert one.differing_parts(other) == named
        assert len(named) >= 4


def test_names_are_unique_and_fit_a_folder():
    names = [species(number).name for number in range(MAX_SPECIES)]
    assert len(set(names)) == MAX_SPECIES
    assert all(name.replace('_', '').isalpha() for name in names)


@pytest.mark.parametrize('number', [-1, MAX_SPECIES])
def test_there_are_no_other_species(number):
    with pytest.raises(ValueError, match='numbered 0 to'):
        species(number)


# The drawing


@pytest.mark.parametrize('part', VARIANTS)
def test_each_variant_of_a_part_looks_its_own(part):
    """In one pose, changing one part alone changes a fair share of the bird, for every pair."""
    pose = Pose(0, 0, 0, -20, (0, 0), True, (128, 128, 128))
    pictures = []
    for variant in VARIANTS[part]:
        sprite = draw_bird(replace(species(0), **{part: variant}), pose, 40)
        # Sprites are cut to the bird, so lay each out again with its eye in one place.
        page = Image.new('RGB', (200, 200), 'white')
        corner = 110 - sprite.parts['right eye']
        page.paste(sprite.image, tuple(round(v) for v in corner), sprite.image)
        pictures.append(np.asarray(page, int))
    for one, other in itertools.combinations(pictures, 2):
        assert (np.abs(one - other).max(-1) > 60).sum() > 60


@pytest.mark.parametrize('faces_right', [True, False])
def test_a_sprite_locates_the_parts_of_its_near_side_on_the_bird(faces_right):
    near, far = ('right', 'left') if faces_right else ('left', 'right')
    rng = np.random.default_rng(3)
    for number in range(0, MAX_SPECIES, 5):
        pose = replace(Pose.sample(rng), faces_right=faces_right)
        sprite = draw_bird(species(number), pose, 120)
        assert set(sprite.parts) == set(CUB_PARTS) - {f'{far} eye', f'{far} wing'}
        for name, (x, y) in sprite.parts.items():
            assert sprite.image.getpixel((int(x), int(y)))[3] == 255, name
        # The beak points ahead, the tail behind, and the near eye is an eye: dark.
        assert (sprite.parts['beak'][0] > sprite.parts['tail'][0]) == faces_right
        eye = sprite.image.getpixel(tuple(int(v) for v in sprite.parts[f'{near} eye']))
        assert max(eye[:3]) < 60


def test_part_locations_show_the_part():
    """Where a part is said to be, only that part's variant decides the colour."""
    pose = Pose(5, -6, 2, -18, (-4, 6), True, (128, 128, 128))
    base = species(0)
    for part, place in (('crown', 'crown'), ('wing', 'right wing'), ('tail', 'tail')):
        colours = set()
        for variant in VARIANTS[part]:
            sprite = draw_bird(replace(base, **{part: variant}), pose, 60)
            colours.add(sprite.image.getpixel(tuple(int(v) for v in sprite.parts[place])))
        assert len(colours) == len(VARIANTS[part]), part


def test_something_in_front_hides_parts():
    """Some pictures, not most, have a part out of sight; then its pixel is off the mask."""
    hidden = 0
    for index in range(40):
        scene = draw_scene(species(index % 12), SIZE, np.random.default_rng([9, index]))
        assert set(scene.parts) <= set(CUB_PARTS)
        hidden += len(scene.parts) < len(CUB_PARTS) - 2
    assert 4 <= hidden <= 24


def test_the_bird_fills_the_picture_and_varies():
    scenes = [draw_scene(species(1), 96, np.random.default_rng([4, k])) for k in range(12)]
    shares = [max(scene.box[2:]) / 96 for scene in scenes]
    assert min(shares) > 0.5
    assert max(shares) < 0.9
    assert len({scene.box for scene in scenes}) == len(scenes)
    assert {'left wing', 'right wing'} <= {name for scene in scenes for name in scene.parts}


# The folder


def test_images_labels_and_classes_agree(folder):
    total = CLASSES * (TRAIN + TEST)
    images, labels = table(folder / 'images.txt'), table(folder / 'image_class_labels.txt')
    classes = dict(table(folder / 'classes.txt'))
    assert [image_id for image_id, _ in images] == [str(n) for n in range(1, total + 1)]
    assert list(classes) == ['1', '2', '3']
    assert classes['1'] == f'001.{species(0).name}'
    assert [image_id for image_id, _ in labels] == [image_id for image_id, _ in images]
    for (_, name), (_, label) in zip(images, labels):
        assert Path(name).parent.name == classes[label]
        picture, mask = Image.open(folder / 'images' / name), mask_of(folder, name)
        assert (picture.format, picture.mode, picture.size) == ('JPEG', 'RGB', (SIZE, SIZE))
        assert mask.shape == (SIZE, SIZE)
        assert set(np.unique(mask)) == {0, 255}
    for kind, ending in (('images', 'jpg'), ('segmentations', 'png')):
        assert len(list((folder / kind).glob(f'*/*.{ending}'))) == total


def test_split_has_the_numbers_asked_for_in_each_class(folder):
    labels = dict(table(folder / 'image_class_labels.txt'))
    split = table(folder / 'train_test_split.txt')
    assert [image_id for image_id, _ in split] == list(labels)
    counts = Counter((labels[image_id], flag) for image_id, flag in split)
    assert counts == {
        (str(label), flag): number
        for label in range(1, CLASSES + 1)
        for flag, number in (('1', TRAIN), ('0', TEST))
    }


def test_boxes_are_those_of_the_masks(folder):
    names = dict(table(folder / 'images.txt'))
    boxes = table(folder / 'bounding_boxes.txt')
    assert [image_id for image_id, _ in boxes] == list(names)
    for image_id, box in boxes:
        ys, xs = np.nonzero(mask_of(folder, names[image_id]))
        tight = xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1
        assert box == ' '.join(f'{v}.0' for v in tight)
        x, y, width, height = map(float, box.split())
        assert min(x, y) >= 0
        assert max(x + width, y + height) <= SIZE


def test_parts_lie_on_the_mask_where_visible(folder):
    names = dict(table(folder / 'images.txt'))
    parts = dict(table(folder / 'parts/parts.txt'))
    assert tuple(parts.values()) == CUB_PARTS
    rows = [line.split() for line in (folder / 'parts/part_locs.txt').read_text().splitlines()]
    assert [row[:2] for row in rows] == [[i, p] for i in names for p in parts]
    visible = Counter()
    for image_id, part, x, y, flag in rows:
        if flag == '1':
            visible[image_id] += 1
            assert mask_of(folder, names[image_id])[int(float(y)), int(float(x))] == 255, part
        else:
            assert (x, y, flag) == ('0.0', '0.0', '0')
    # A bird shows one eye and one wing.
    assert max(visible.values()) == len(CUB_PARTS) - 2
    assert min(visible[image_id] for image_id in names) >= 6


def test_the_mask_is_where_the_bird_is(folder):
    """Inside a bird there is far more contrast than in the blurred picture around it."""
    edges = {True: [], False: []}
    for _, name in table(folder / 'images.txt'):
        grey = np.asarray(Image.open(folder / 'images' / name).convert('L'), float)
        slope, mask = np.hypot(*np.gradient(grey)), mask_of(folder, name) > 0
        for inside in (True, False):
            edges[inside].append(slope[mask == inside].mean())
    assert all(bird > around for bird, around in zip(edges[True], edges[False]))
    assert np.mean(edges[True]) > 2 * np.mean(edges[False])


def test_same_seed_same_bytes_and_another_seed_other_birds(folder, tmp_path):
    again = make_birds(tmp_path / 'again', CLASSES, TRAIN, TEST, SIZE)
    other = make_birds(tmp_path / 'other', CLASSES, TRAIN, TEST, SIZE, seed=1)
    assert tree(again) == tree(folder)
    pictures = {path for path in tree(folder) if path.endswith('.jpg')}
    assert all(tree(other)[path] != tree(folder)[path] for path in pictures)


def test_asking_for_more_keeps_the_pictures_there_were(folder, tmp_path):
    more = tree(make_birds(tmp_path / 'more', CLASSES + 1, TRAIN, TEST + 1, SIZE))
    fewer = {path: hashed for path, hashed in tree(folder).items() if 'images/' in path}
    assert len(fewer) == CLASSES * (TRAIN + TEST)
    assert fewer.items() <= more.items()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'classes': 1}, 'classes must be from 2 to'),
        ({'classes': MAX_SPECIES + 1}, 'classes must be from 2 to'),
        ({'train': 0}, 'train must be from 1'),
        ({'test': -1}, 'test must be from 1'),
        ({'size': 16}, 'size must be from 64'),
        ({'seed': -1}, 'seed must be from 0'),
    ],
)
def test_bad_arguments_leave_nothing(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_birds(tmp_path / 'deep' / 'cub', **arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing(tmp_path):
    def interrupted(numbers):
        yield from numbers[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_birds(tmp_path / 'cub', 2, 2, 2, SIZE, track=interrupted)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled_and_a_file_is_kept(tmp_path):
    (tmp_path / 'empty').mkdir()
    assert (make_birds(tmp_path / 'empty', 2, 1, 1, SIZE) / 'images.txt').exists()
    (tmp_path / 'file').write_text('kept')
    with pytest.raises(FileExistsError, match='not an empty folder'):
        make_birds(tmp_path / 'file', 2, 1, 1, SIZE)
    assert (tmp_path / 'file').read_text() == 'kept'


# The command


def command(*arguments):
    return subprocess.run(
        [sys.executable, REPO / 'tools/make_birds.py', *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=REPO,
    )


@pytest.mark.slow
def test_the_command_writes_what_the_function_does(folder, tmp_path):
    options = ('--classes', CLASSES, '--train', TRAIN, '--test', TEST, '--size', SIZE)
    done = command(tmp_path / 'cub', *options)
    assert done.returncode == 0, done.stderr
    assert f'{CLASSES * (TRAIN + TEST)} images of {CLASSES} species' in done.stdout
    assert tree(tmp_path / 'cub') == tree(folder)
    assert [path.name for path in tmp_path.iterdir()] == ['cub']


@pytest.mark.slow
def test_the_command_says_in_a_line_what_is_wrong(tmp_path):
    (tmp_path / 'mine.txt').write_text('kept')
    failed = command(tmp_path, '--classes', 2)
    assert failed.returncode == 2
    assert failed.stdout == ''
    assert failed.stderr.splitlines()[-1] == (
        f'make_birds.py: error: {tmp_path} exists and is not an empty folder'
    )
    assert 'Traceback' not in failed.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']


def test_drawing_needs_no_torch():
    """The package by itself, without the plugin around it, which does need torch."""
    code = (
        'import sys, types\n'
        "for name in ('mmproto', 'mmproto.datasets'):\n"
        '    package = sys.modules[name] = types.ModuleType(name)\n'
        "    package.__path__ = [name.replace('.', '/')]\n"
        "sys.modules['torch'] = None\n"
        'import mmproto.datasets.birds\n'
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
