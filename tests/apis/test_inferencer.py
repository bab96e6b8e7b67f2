import json
import re
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain import get_model
from mmpretrain.structures import DataSample
from PIL import Image

from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.errors import InputError
from mmproto.visualization.page_data import page_data
from tests.pushed_birds import (
    CONFIG,
    birds_fixture,  # noqa: F401
    config_fixture,  # noqa: F401
    push_and_save,
)


@pytest.fixture(scope='module')
def checkpoint(config, tmp_path_factory):
    """A pushed model, as a training would leave it, with the images of the push."""
    torch.manual_seed(0)
    return push_and_save(get_model(config), config, tmp_path_factory.mktemp('work'))


@pytest.fixture(scope='module')
def inferencer(config, checkpoint):
    return ProtoPNetInferencer(config, str(checkpoint))


@pytest.fixture
def photo(tmp_path):
    """A photo that no data set knows, not square."""
    path = tmp_path / 'photo.jpg'
    Image.effect_noise((150, 90), 80).convert('RGB').save(path)
    return str(path)


def bird_images(birds, count):
    return sorted(map(str, (birds / 'images').glob('*/*.jpg')))[:count]


def test_it_predicts_what_the_model_predicts(inferencer, config, birds):
    loader = Runner.build_dataloader(config.test_dataloader)
    dataset = loader.dataset
    paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
    with torch.no_grad():
        expected = [sample for data in loader for sample in inferencer.model.test_step(data)]
    for batch_size in (1, 5):
        results = inferencer(paths, batch_size=batch_size)
        for result, sample in zip(results, expected):
            assert np.allclose(result['pred_scores'], sample.pred_score, atol=1e-5)
            assert result['pred_label'] == int(sample.pred_label)
            assert result['pred_class'] == inferencer.classes[result['pred_label']]
            assert result['explanation'].true_class == int(sample.gt_label)


def test_everything_is_written_for_every_image(inferencer, birds, photo, tmp_path):
    out = tmp_path / 'new' / 'why'
    images = [*bird_images(birds, 2), photo, photo, np.zeros((30, 40, 3), np.uint8)]
    results = inferencer(images, out_dir=out)
    names = [result['explanation'].name for result in results]
    assert names[2:] == ['photo', 'photo_2', 'image_4']
    assert {path.name for path in out.iterdir()} == {
        'index.html', *(f'{name}.{kind}' for name in names for kind in ('html', 'png', 'json'))
    }  # fmt: skip
    for name, result in zip(names, results):
        figures = json.loads((out / f'{name}.json').read_text())
        assert figures['warning'] is None
        assert figures['predicted_class']['index'] == result['pred_label']
        for part in ('target', 'rival'):
            explained = figures[part]
            points = sum(match['points'] for match in explained['matches'])
            assert points + explained['points_of_the_rest'] == pytest.approx(
                explained['logit'], abs=1e-4
            )
            height, width = figures['image_size']
            for match in explained['matches']:
                box = match['box']
                cell = match['cell']
                middle = (cell['top'] + cell['bottom']) / 2, (cell['left'] + cell['right']) / 2
                assert box['top'] <= middle[0] <= box['bottom']
                assert box['left'] <= middle[1] <= box['right']
                assert 0 <= box['top'] < box['bottom'] <= height
                assert 0 <= box['left'] < box['right'] <= width
                assert Path(match['training_image']).is_file()
        with Image.open(out / f'{name}.png') as sheet:
            sheet.load()
        page = (out / f'{name}.html').read_text()
        matches = [*figures['target']['matches'], *figures['rival']['matches']]
        fields = [match['effective_receptive_field'] for match in matches]
        assert [field is not None for field in fields] == [True] * 3 + [False] * 7
        shares = [f'holds {100 * field["in_box"]:.0f} %' for field in fields[:3]]
        assert all(0 < field[part] <= 1 for field in fields[:3] for part in ('in_box', 'in_cell'))
        assert re.findall(r'holds \d+ %', page) == shares
        measured = {match['prototype'] for match in matches[:3]}
        similar = [match['prototype'] in measured for match in figures['most_similar']]
        assert len(re.findall('class="field" d="M', page)) == 3 + sum(similar)
        assert 'role="alert"' not in page
        assert 'Dotted' in page
        assert str(Path('prototypes/epoch_1')) in page  # where the images come from
        assert page.count('data:image/jpeg;base64,') > 20


def test_without_fields_no_page_speaks_of_them(inferencer, tmp_path, monkeypatch):
    monkeypatch.setattr(inferencer, 'fields', 0)
    Image.new('RGB', (64, 64)).save(tmp_path / 'a.png')
    inferencer(str(tmp_path / 'a.png'), out_dir=tmp_path / 'out')
    page = (tmp_path / 'out' / 'a.html').read_text()
    assert 'Dashed' in page
    assert 'Dotted' not in page
    assert 'class="field"' not in page


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'P', 'CMYK', 'I;16', '1', 'LA'])
def test_images_of_any_mode_and_size(inferencer, tmp_path, mode):
    kind = 'jpg' if mode == 'CMYK' else 'png'
    path = tmp_path / f'a.{kind}'
    noise = np.random.default_rng(0).integers(0, 256, (37, 210), dtype=np.uint8)
    if mode == 'I;16':
        Image.fromarray(noise.astype(np.uint16) * 256).save(path)
    else:
        Image.fromarray(noise).convert('RGB').convert(mode).save(path)
    (result,) = inferencer(str(path), out_dir=tmp_path / 'out')
    explained = result['explanation']
    assert explained.geometry.size == (37, 210)
    assert explained.true_class is None
    match = explained.prediction.target.matches[0]
    assert explained.box(match)[1] <= 37


def test_boxes_are_in_the_pixels_of_the_large_original(inferencer, photo, tmp_path):
    large = tmp_path / 'large.png'
    Image.open(photo).resize((3000, 1800)).save(large)
    other = inferencer(str(large))[0]['explanation']
    assert other.geometry.size == (1800, 3000)
    assert max(other.image.shape) == 1024
    box = other.box(other.prediction.target.matches[0])
    shown = other.box_in(other.image, other.prediction.target.matches[0])
    assert np.allclose(np.array(box) * 1024 / 3000, shown, atol=1.5)


def test_a_class_can_be_asked_for_by_name_or_number(inferencer, photo):
    predicted = inferencer(photo)[0]['pred_label']
    target = (predicted + 3) % 12
    words = inferencer.classes[target].replace('_', ' ')
    for name in (target, str(target), inferencer.classes[target], words):
        explanation = inferencer(photo, target=name)[0]['explanation'].prediction
        assert explanation.target.label == target
        assert explanation.rival.label == predicted


def test_a_stream_gives_the_same_and_writes_each_batch_before_its_results(
    inferencer, birds, tmp_path
):
    images, out = bird_images(birds, 5), tmp_path / 'out'
    whole = inferencer(images, out_dir=tmp_path / 'whole', batch_size=2)
    for number, result in enumerate(inferencer.stream(images, out_dir=out, batch_size=2)):
        written = {path.stem for path in out.glob('*.html')}
        assert len(written) == min(5, number // 2 * 2 + 2) + (number == 5)
        assert result['explanation'].name in written
        assert result['pred_label'] == whole[number]['pred_label']
        np.testing.assert_allclose(result['pred_scores'], whole[number]['pred_scores'], atol=1e-6)
    pages = {path.name: path.read_text() for path in out.iterdir() if path.suffix != '.png'}
    assert pages == {
        path.name: path.read_text()
        for path in (tmp_path / 'whole').iterdir()
        if path.suffix != '.png'
    }
    assert '5 explained images' in pages['index.html']


def test_a_stream_says_at_once_what_is_wrong(inferencer):
    with pytest.raises(InputError, match=r'there is no image no\.jpg'):
        inferencer.stream('no.jpg')


def test_a_stream_holds_a_batch_and_not_all(inferencer, photo, tmp_path):
    def peak(count, out):
        """Bytes that a stream over so many images needs at most."""
        tracemalloc.start()
        for _ in inferencer.stream([photo] * count, out_dir=out, batch_size=2):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2, tmp_path / 'first')  # what is loaded once
    few, many = peak(4, tmp_path / 'few'), peak(16, tmp_path / 'many')
    assert many - few < 1_500_000  # twelve explanations have 4.3 million bytes
    assert len(list((tmp_path / 'many').glob('*.png'))) == 16


def test_data_samples_are_those_of_mmpretrain(inferencer, photo):
    (sample,) = inferencer(photo, return_datasamples=True)
    assert isinstance(sample, DataSample)
    assert int(sample.pred_label) == sample.explanation.prediction.label


@pytest.mark.parametrize(
    ('given', 'settings', 'message'),
    [
        ('no.jpg', {}, 'there is no image no.jpg'),
        ('text.jpg', {}, 'is no image, or a damaged one'),
        ('half.jpg', {}, 'is no image, or a damaged one'),
        ('good.jpg', dict(target='Hook billed'), "no class 'Hook billed'.*nearest: Hook billed"),
        ('good.jpg', dict(target=12), 'a number from 0 to 11'),
        ('good.jpg', dict(out_dir='good.jpg/out'), 'cannot be written'),
        ('good.jpg', dict(target='²'), 'there is no class'),
        (np.zeros((9, 9)), {}, 'give uint8'),
        ('folder', {}, 'there is no image in folder'),
    ],
)
def test_wrong_input_is_named_and_leaves_nothing(
    inferencer, birds, tmp_path, monkeypatch, given, settings, message
):
    monkeypatch.chdir(tmp_path)
    good = Path(bird_images(birds, 1)[0]).read_bytes()
    Path('good.jpg').write_bytes(good)
    Path('half.jpg').write_bytes(good[: len(good) // 2])
    Path('text.jpg').write_text('words')
    Path('folder').mkdir()
    Path('folder/text.txt').write_text('words')
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(InputError, match=message) as error:
        inferencer(['good.jpg', given], **{'out_dir': 'out', **settings})
    assert '\n' not in str(error.value)
    assert sorted(tmp_path.rglob('*')) == before


def test_a_model_that_has_moved_says_so_on_every_page(config, checkpoint, birds, tmp_path):
    state = torch.load(checkpoint)
    state['state_dict']['head.prototypes_are_patches'].fill_(False)
    moved = checkpoint.with_name('moved.pth')
    torch.save(state, moved)
    images = bird_images(birds, 2)
    ProtoPNetInferencer(config, str(moved))(images, out_dir=tmp_path)
    for page in tmp_path.glob('*.html'):
        assert 'no training patches any more' in page.read_text()
        assert 'role="alert"' in page.read_text()
    for figures in tmp_path.glob('*.json'):
        assert 'no training patches' in json.loads(figures.read_text())['warning']


def test_a_model_that_was_never_pushed_has_no_images(config, birds, tmp_path):
    inferencer = ProtoPNetInferencer(get_model(config))
    inferencer(bird_images(birds, 1), out_dir=tmp_path)
    page = next(tmp_path.glob('*.html')).read_text()
    assert 'have never been pushed' in page
    assert 'no image' in page


def test_training_images_are_not_needed(config, checkpoint, photo, tmp_path):
    gone = Config(config.to_dict())
    for loader in ('push_dataloader', 'test_dataloader'):
        gone[loader].dataset.data_root = str(tmp_path / 'gone')
    inferencer = ProtoPNetInferencer(gone, str(checkpoint))
    inferencer(photo, out_dir=tmp_path / 'out')
    page = (tmp_path / 'out' / 'photo.html').read_text()
    assert 'images saved at the push' in page
    assert 'no image<' not in page


def test_without_the_images_of_the_push_training_images_are_used(
    config, checkpoint, photo, tmp_path
):
    alone = tmp_path / 'alone.pth'
    alone.write_bytes(checkpoint.read_bytes())
    ProtoPNetInferencer(config, str(alone))(photo, out_dir=tmp_path)
    page = (tmp_path / 'photo.html').read_text()
    assert 'shown on the training images' in page
    assert 'no image<' not in page


def test_data_text_is_escaped(config, checkpoint, photo, tmp_path):
    state = torch.load(checkpoint)
    classes = [f'<script>alert({label})</script>' for label in range(12)]
    state['meta']['dataset_meta']['classes'] = classes
    torch.save(state, tmp_path / 'evil.pth')
    file = tmp_path / '<img src=x>.jpg'
    file.write_bytes(Path(photo).read_bytes())
    ProtoPNetInferencer(config, str(tmp_path / 'evil.pth'))(
        [str(file), photo], out_dir=tmp_path / 'out'
    )
    for page in (tmp_path / 'out').glob('*.html'):
        assert '<script>alert' not in page.read_text()
        assert '<img src=x>' not in page.read_text()


def test_other_models_are_refused(config, checkpoint):
    baseline = Config.fromfile(CONFIG.parents[1] / 'baseline' / 'resnet10t_birds.py')
    with pytest.raises(InputError, match='only a ProtoPNetHead explains itself'):
        ProtoPNetInferencer(get_model(baseline))
    with pytest.raises(InputError, match='is not of the network'):
        ProtoPNetInferencer(baseline, str(checkpoint))


def test_the_image_shows_the_box_where_the_match_is(inferencer, photo):
    explained = inferencer(photo)[0]['explanation']
    match = explained.prediction.target.matches[0]
    top, bottom, left, right = explained.box(match)
    assert cv2.imread(photo)[top:bottom, left:right].size > 0
    rows, columns = (side // 16 for side in match.activation.shape)
    centre = (match.location[0] + 0.5) / rows * 90, (match.location[1] + 0.5) / columns * 150
    assert top - 90 / rows <= centre[0] <= bottom + 90 / rows
    assert left - 150 / columns <= centre[1] <= right + 150 / columns


@pytest.mark.parametrize('attribution', ['upsampling', 'integrated_gradients'])
def test_pages_and_figures_say_what_found_the_boxes(
    config, checkpoint, photo, tmp_path, attribution
):
    inferencer = ProtoPNetInferencer(config, str(checkpoint), attribution=attribution)
    (result,) = inferencer(photo, out_dir=tmp_path / 'out')
    assert result['explanation'].prediction.attribution == attribution
    figures = json.loads((tmp_path / 'out' / 'photo.json').read_text())
    assert figures['attribution'] == attribution
    assert f'found by {attribution.replace("_", " ")}' in (tmp_path / 'out/photo.html').read_text()


def test_the_training_images_have_the_boxes_of_the_attribution(config, checkpoint, tmp_path):
    alone = tmp_path / 'alone.pth'
    alone.write_bytes(checkpoint.read_bytes())
    plain, other = (
        ProtoPNetInferencer(config, str(alone), attribution=name).gallery.images(0)
        for name in ('upsampling', 'integrated_gradients')
    )
    assert not np.array_equal(plain.heat, other.heat)


def test_an_unknown_attribution_is_refused(config, checkpoint):
    with pytest.raises(InputError, match="attribution='cam' is unknown: choose one of"):
        ProtoPNetInferencer(config, str(checkpoint), attribution='cam')


def test_paths_and_folders_are_taken(inferencer, photo, tmp_path):
    folder = tmp_path / 'folder'
    folder.mkdir()
    for name in ('index.jpg', 'b.JPG', 'a' * 200 + '.jpg'):
        (folder / name).write_bytes(Path(photo).read_bytes())
    (folder / 'notes.txt').write_text('words')
    results = inferencer([folder, Path(photo)], out_dir=tmp_path / 'out')
    names = [result['explanation'].name for result in results]
    assert names == ['a' * 100, 'b', 'index_2', 'photo']
    assert '4 explained images' in (tmp_path / 'out' / 'index.html').read_text()


def test_the_asked_class_is_not_called_the_runner_up(inferencer, photo, tmp_path):
    predicted = inferencer(photo)[0]['pred_label']
    (result,) = inferencer(photo, target=(predicted + 1) % 12, out_dir=tmp_path)
    assert page_data(result['explanation'])['rival_question'] == 'It was taken for: why'
    assert 'It was taken for: why' in (tmp_path / 'photo.html').read_text()
    assert page_data(inferencer(photo)[0]['explanation'])['rival_question'] == 'Why not'


def test_a_config_alone_explains_nothing(config):
    with pytest.raises(InputError, match='give its checkpoint'):
        ProtoPNetInferencer(config)
    with pytest.raises(InputError, match=r'there is no checkpoint no\.pth'):
        ProtoPNetInferencer(config, 'no.pth')


def test_missing_boxes_are_warned_of(config, checkpoint, photo, inferencer, tmp_path):
    gone = Config(config.to_dict())
    for loader in ('push_dataloader', 'test_dataloader'):
        gone[loader].dataset.data_root = str(tmp_path / 'gone')
    ProtoPNetInferencer(gone, checkpoint)(photo, out_dir=tmp_path)
    assert 'images are taken whole' in (tmp_path / 'photo.html').read_text()
    assert inferencer.warning is None


def test_a_wrapped_test_set_is_unwrapped(config, checkpoint, photo):
    wrapped = Config(config.to_dict())
    dataset = wrapped.test_dataloader.dataset
    wrapped.test_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=dataset)
    assert ProtoPNetInferencer(wrapped, checkpoint)(photo)[0]['explanation'].name == 'photo'
    wrapped.test_dataloader = None
    with pytest.raises(InputError, match='no test_dataloader with a pipeline'):
        ProtoPNetInferencer(wrapped, checkpoint)


def test_a_full_disk_leaves_nothing(inferencer, photo, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Image.Image, 'save', full)
    with pytest.raises(InputError, match='No space left'):
        inferencer(photo, out_dir=tmp_path / 'out')
    assert list((tmp_path / 'out').iterdir()) == []
