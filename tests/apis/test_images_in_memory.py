"""A data set that holds its images in memory, as MMPretrain's CIFAR10 and MNIST do."""

import copy
import csv
import json
import re
from typing import ClassVar

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain import get_model
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from mmproto.apis.ensemble import load_member, predict_ensemble
from mmproto.apis.image_reader import ImageReader
from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.apis.prototype_table import prototype_rows, write_table
from mmproto.apis.report import analyse
from mmproto.errors import InputError
from mmproto.visualization.prototype_images import input_image
from mmproto.visualization.prototype_sheet import prototype_sheet
from tests.pushed_birds import push_and_save
from tests.toy import model_config

COUNT = 12


@DATASETS.register_module()
class MemoryDataset(BaseDataset):
    """Reddish noise of a seed in RGB order, of three classes."""

    METAINFO: ClassVar = dict(classes=('one', 'two', 'three'))

    def __init__(self, seed=0, **settings):
        self.seed = seed
        super().__init__(**settings)

    def load_data_list(self):
        noise = np.random.default_rng(self.seed)
        images = noise.integers(0, 100, (COUNT, 16, 16, 3), dtype=np.uint8)
        images[..., 0] += 150
        return [dict(img=image, gt_label=i % 3) for i, image in enumerate(images)]


def loader():
    return dict(
        batch_size=4,
        num_workers=0,
        dataset=dict(type='MemoryDataset', ann_file='', pipeline=[dict(type='PackInputs')]),
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'),
    )


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """Config and checkpoint of a model that is pushed onto the images."""
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = model_config()
    model['data_preprocessor']['to_rgb'] = False
    config = Config(dict(model=model, push_dataloader=loader(), test_dataloader=loader()))
    return config, push_and_save(get_model(config), config, tmp_path_factory.mktemp('work'))


@pytest.fixture(scope='module')
def inferencer(saved):
    config, checkpoint = saved
    return ProtoPNetInferencer(config, str(checkpoint))


def is_red(image):
    """Whether an image in BGR order is reddish."""
    blue, _, red = image.reshape(-1, 3).mean(axis=0)
    return red > blue + 50


def test_test_images_are_explained_by_their_number(inferencer, tmp_path):
    results = inferencer([3, 7], out_dir=tmp_path)
    data = next(iter(Runner.build_dataloader(loader())))
    with torch.no_grad():
        expected = inferencer.model.test_step(data)[3]
    one = results[0]['explanation']
    assert np.allclose(results[0]['pred_scores'], expected.pred_score, atol=1e-5)
    assert (one.name, one.path, one.true_class) == ('test_3', None, 0)
    assert is_red(one.image)
    assert {path.name for path in tmp_path.iterdir()} == {
        'index.html', *(f'test_{n}.{kind}' for n in (3, 7) for kind in ('html', 'png', 'json'))
    }  # fmt: skip


def test_an_image_file_is_seen_as_the_same_image_of_the_data_set(inferencer, tmp_path):
    bgr = inferencer.reader.dataset('test_dataloader').get_data_info(3)['img'][..., ::-1]
    cv2.imwrite(str(tmp_path / 'same.png'), bgr)
    by_number, by_file, by_array = inferencer([3, tmp_path / 'same.png', bgr.copy()])
    for other in (by_file, by_array):
        assert np.allclose(other['pred_scores'], by_number['pred_scores'], atol=1e-6)
        assert np.array_equal(other['explanation'].image, by_number['explanation'].image)


@pytest.mark.parametrize('number', [-1, COUNT])
def test_a_number_that_there_is_not_is_named(inferencer, number):
    with pytest.raises(InputError, match=rf'no test image {number}: .* finds {COUNT} images'):
        inferencer(number)


def test_prototypes_sheet_and_report_show_the_images(saved, inferencer, tmp_path):
    _, checkpoint = saved
    dataset = inferencer.reader.dataset('push_dataloader')
    assert is_red(input_image(dataset, 0))
    folder = checkpoint.parent / 'prototypes' / 'epoch_1'
    records = json.loads((folder / 'prototypes.json').read_text())
    assert all(record['image'] is None and record['image_index'] >= 0 for record in records)
    assert is_red(cv2.imread(str(folder / '00000_crop.jpg')))
    assert prototype_sheet(folder).width > 100

    report = analyse(inferencer, 'memory.py', str(checkpoint), batch_size=5)
    explained = [*report.correct, *report.mistakes]
    assert len(explained) == COUNT
    assert sorted(report.test_images.values()) == list(range(COUNT))


def test_every_prototype_is_in_the_table_and_the_points_sum_to_the_logit(inferencer, tmp_path):
    rows = list(prototype_rows(inferencer, [3, 7, 8], batch_size=2))
    assert [row['prototype'] for row in rows] == [*range(6)] * 3
    for number, result in zip((3, 7, 8), inferencer([3, 7, 8])):
        own = [row for row in rows if row['image'] == f'test_{number}']
        one = result['explanation']
        matches = {match.prototype: match for match in one.prediction.matches}
        target = one.prediction.target
        assert own[0]['predicted_class'] == result['pred_class']
        assert sum(row['points'] for row in own) == pytest.approx(target.logit, abs=1e-4)
        for match in target.matches:
            row = own[match.prototype]
            assert row['points'] == pytest.approx(match.points)
            assert (row['top'], row['bottom'], row['left'], row['right']) == one.box(match)
            assert (row['row'], row['column']) == match.location
        assert len(matches) == 6
    for name in ('table.json', 'table.csv'):
        write_table(iter(rows), tmp_path / name)
    assert json.loads((tmp_path / 'table.json').read_text()) == rows
    with (tmp_path / 'table.csv').open(newline='') as file:
        read = list(csv.DictReader(file))
    assert [float(row['score']) for row in read] == [row['score'] for row in rows]
    assert [row['class'] for row in read] == [row['class'] for row in rows]


def test_an_image_that_is_one_patch_is_warned_about(inferencer):
    inferencer(3)
    assert inferencer.warning is None
    warned = copy.copy(inferencer)
    warned(np.zeros((2, 2, 3), np.uint8))
    assert 'sees the image as one patch' in warned.warning
    assert 'out_indices=(-2,)' in warned.warning


@DATASETS.register_module()
class GreyMemoryDataset(MemoryDataset):
    """One channel, (height, width), as MNIST."""

    def load_data_list(self):
        return [{**info, 'img': info['img'][..., 1]} for info in super().load_data_list()]


@pytest.mark.parametrize(
    'network',
    [dict(data_preprocessor=dict(mean=[33.5])), dict(model=dict(backbone=dict(in_channels=1)))],
)
def test_grey_images_in_memory_are_read_and_shown(tmp_path, network):
    test = loader()
    test['dataset']['type'] = 'GreyMemoryDataset'
    reader = ImageReader(Config(dict(**network, test_dataloader=test)))
    dataset = reader.dataset('test_dataloader')
    loaded = reader.read(2, 'two')
    assert torch.equal(loaded.inputs, dataset[2]['inputs'])
    assert loaded.image.shape == input_image(dataset, 2).shape == (16, 16, 3)
    cv2.imwrite(str(tmp_path / 'same.png'), loaded.image)
    assert torch.equal(reader.read(str(tmp_path / 'same.png'), 'same').inputs, loaded.inputs)


def test_networks_are_combined_that_saw_the_same_images_in_memory(saved):
    config, checkpoint = saved
    member = load_member(config, str(checkpoint))
    both = predict_ensemble([member, load_member(config, str(checkpoint))], 'cpu')
    torch.testing.assert_close(both.summed(), 2 * both.logits[0])
    assert both.labels.tolist() == [number % 3 for number in range(COUNT)]
    other = copy.deepcopy(config)
    other.test_dataloader.dataset.seed = 1
    with pytest.raises(InputError) as error:
        predict_ensemble([member, load_member(other, str(checkpoint))], 'cpu')
    sums = re.findall(r'an image of the checksum ([0-9a-f]{8}) of class 0', str(error.value))
    assert len({*sums}) == 2
