import copy

import numpy as np
import pytest
import torch
from mmengine.runner import Runner, save_checkpoint
from mmpretrain import get_model
from mmpretrain.registry import DATASETS

from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.apis.report import analyse
from mmproto.datasets.birds import CUB_PARTS
from mmproto.errors import InputError
from mmproto.visualization.page_data import page_data
from tests.pushed_birds import (
    CONFIG,
    birds_fixture,  # noqa: F401
    config_fixture,  # noqa: F401
    push_and_save,
)
from tests.toy import ArrayDataset


def reconfigured(inferencer):
    """A copy of the inferencer whose config can be changed."""
    other = copy.copy(inferencer)
    other.reader = copy.copy(inferencer.reader)
    other.config = other.reader.config = copy.deepcopy(inferencer.config)
    other.reader._datasets = {}
    return other


def pushed_checkpoint(config, folder):
    """A pushed model, as a training would leave it."""
    torch.manual_seed(0)
    model = get_model(config)
    torch.nn.init.normal_(model.head.last_layer.weight)
    return str(push_and_save(model, config, folder))


@pytest.fixture(scope='module')
def checkpoint(config, tmp_path_factory):
    return pushed_checkpoint(config, tmp_path_factory.mktemp('work'))


@pytest.fixture(scope='module')
def inferencer(config, checkpoint):
    return ProtoPNetInferencer(config, checkpoint)


@pytest.fixture(scope='module')
def report(inferencer, checkpoint):
    return analyse(inferencer, str(CONFIG), checkpoint, batch_size=5)


def test_the_figures_are_those_of_the_test_set(report, inferencer, config):
    data = Runner.build_dataloader(config.test_dataloader)
    with torch.no_grad():
        samples = [sample for batch in data for sample in inferencer.model.test_step(batch)]
    matrix = np.zeros((12, 12), int)
    for sample in samples:
        matrix[int(sample.gt_label), int(sample.pred_label)] += 1
    assert (report.confusion_matrix == matrix).all()
    assert report.accuracy == pytest.approx(np.trace(matrix) / 12)
    assert (report.config, report.checkpoint) == ('resnet10t_birds.py', 'epoch_1.pth')
    assert report.classes == inferencer.classes
    assert report.warning is None
    assert [push.epoch for push in report.pushes] == [1]
    assert len(report.latent_map.labels) == 60 + 24 + 12


def test_every_test_image_of_so_few_is_explained(report):
    assert len(report.correct) + len(report.mistakes) == 12
    assert len({one.path for one in [*report.correct, *report.mistakes]}) == 12
    for one in report.correct:
        assert one.prediction.label == one.true_class
    for one in report.mistakes:
        assert one.prediction.label != one.true_class
    sure = [float(one.prediction.probabilities.max()) for one in report.mistakes]
    assert sure == pytest.approx(sorted(sure, reverse=True), abs=1e-6)


def test_every_prototype_is_told_of(report, inferencer):
    head = inferencer.model.head
    assert [one.prototype for one in report.prototypes] == list(range(60))
    for one in report.prototypes:
        j = one.prototype
        weight = head.last_layer.weight[:, j].detach()
        assert one.label == j // 5
        assert one.weight == float(weight[one.label])
        assert one.strongest_class == int(weight.argmax())
        assert one.class_images == 2
        assert set(one.parts) <= set(CUB_PARTS)
        own = one.nearest_train[0]
        best = float(head.similarity.score(torch.tensor(0.0)))
        assert own.score == pytest.approx(best, abs=0.05)  # it is a patch of the push set
        if not one.duplicates:
            assert own.image == int(head.prototype_image[j])
        for nearest, split in ((one.nearest_train, 'train'), (one.nearest_test, 'test')):
            assert len(nearest) == 5
            assert {patch.split for patch in nearest} == {split}
            scores = [patch.score for patch in nearest]
            assert scores == sorted(scores, reverse=True)
    assert any(one.parts for one in report.prototypes)
    assert report.figure_images == 12
    figures = {figure.name: figure.estimate for figure in report.figures}
    for name in ('points_explained', 'part_consistency', 'on_object', 'taken_from_outside'):
        assert 0 <= figures[name].value <= 1


def test_without_training_images_the_rest_is_told(inferencer, checkpoint, birds, report):
    gone = reconfigured(inferencer)
    gone.config.push_dataloader.dataset.data_root = str(birds / 'gone')
    found = analyse(gone, str(CONFIG), checkpoint)
    assert (found.confusion_matrix == report.confusion_matrix).all()
    assert 'finds no training images' in found.origin
    assert 'finds no training images' not in report.origin
    for one, full in zip(found.prototypes, report.prototypes):
        assert one.nearest_train == []
        assert one.parts is None
        assert [patch.image for patch in one.nearest_test] == [
            patch.image for patch in full.nearest_test
        ]
        assert one.fires_own == full.fires_own
    assert {check.checked for check in report.checks} >= {60}
    missing = {check.name: check.missing for check in found.checks if not check.checked}
    assert 'does not give the images of the push' in missing['nearly blank patches']


def test_the_images_of_another_push_tell_no_parts(inferencer, checkpoint, report):
    other = reconfigured(inferencer)
    other.config.push_dataloader.dataset.pipeline.insert(
        2, dict(type='RandomFlip', prob=1.0, direction='horizontal')
    )
    found = analyse(other, str(CONFIG), checkpoint)
    assert 'does not give the images that the prototypes were pushed onto' in found.origin
    assert 'does not give' not in report.origin
    assert {one.parts for one in found.prototypes} == {None}
    other.model = copy.deepcopy(other.model)
    other.model.head.prototypes_are_patches.fill_(False)
    found = analyse(other, str(CONFIG), checkpoint)
    assert 'trained since its last push' in found.warning
    assert 'does not give' not in found.origin


def test_images_are_explained_by_another_attribution_as_well(inferencer, checkpoint, report):
    found = analyse(inferencer, str(CONFIG), checkpoint, attribution='receptive_field')
    shown = {one.name for one in (*found.correct, *found.mistakes)}
    assert set(found.by_attribution) == shown
    assert report.by_attribution == {}
    assert inferencer.attribution == 'upsampling'
    one = found.mistakes[0]
    second = found.by_attribution[one.name]
    heats = page_data(one, second=second)['target']['matches'][0]['heats']
    assert [heat['by'] for heat in heats] == ['upsampling', 'receptive field']
    assert heats[0]['uri'] != heats[1]['uri']


def test_a_model_that_has_never_been_pushed(config, tmp_path):
    torch.manual_seed(0)
    config = copy.deepcopy(config)
    config.model.head.update(prototypes_per_class=None, num_prototypes=60)
    model = get_model(config)
    save_checkpoint(dict(meta={}, state_dict=model.state_dict()), str(tmp_path / 'new.pth'))
    inferencer = ProtoPNetInferencer(config, str(tmp_path / 'new.pth'))
    found = analyse(inferencer, str(CONFIG), str(tmp_path / 'new.pth'))
    assert 'never been pushed' in found.warning
    assert 'does not give' not in found.origin
    assert found.pushes == []
    weights = inferencer.model.head.last_layer.weight.detach()
    for one in found.prototypes:
        assert one.label == -1
        assert one.parts is None
        assert np.isnan(one.fires_own)
        assert one.weight == float(weights[:, one.prototype].max())
        assert one.class_images == 0
        kinds = {concern.kind for concern in one.concerns}
        assert kinds <= {'never fires', 'resembles nothing in the test set'}
        assert ('never fires' in kinds) == (one.fires_other == 0)
    missing = {check.name: check.missing for check in found.checks if not check.checked}
    assert missing['nearly blank patches'] == 'the prototypes have never been pushed'
    assert 'how often a prototype fires' not in missing


def test_a_missing_test_set_is_named(inferencer, checkpoint, birds):
    gone = reconfigured(inferencer)
    dataset = gone.config.test_dataloader.dataset
    dataset.data_root = str(birds / 'gone')
    with pytest.raises(InputError, match='data_root'):
        analyse(gone, str(CONFIG), checkpoint)
    folder = dict(type='CustomDataset', data_root=str(birds / 'gone'), pipeline=dataset.pipeline)
    gone.config.test_dataloader.dataset = folder
    with pytest.raises(InputError, match='set data_root') as error:
        analyse(gone, str(CONFIG), checkpoint)
    assert '\n' not in str(error.value)
    gone.config.test_dataloader.dataset = dict(type='EmptyDataset')
    with pytest.raises(InputError, match='test_dataloader finds no images: set data_root'):
        analyse(gone, str(CONFIG), checkpoint)
    gone.config.pop('test_dataloader')
    with pytest.raises(InputError, match='has no test_dataloader'):
        analyse(gone, str(CONFIG), checkpoint)


@DATASETS.register_module()
class FilelessDataset(ArrayDataset):
    """Images in memory, as CIFAR's are."""

    built = 0

    def __init__(self, **options):
        type(self).built += 1
        super().__init__(**options)

    def get_data_info(self, index):
        return dict(gt_label=int(self.labels[index]))


def test_images_without_parts_and_files(inferencer, checkpoint):
    other = reconfigured(inferencer)
    dataset = dict(type='FilelessDataset', num_classes=12, count=15, size=96)
    other.config.test_dataloader.dataset = other.config.push_dataloader.dataset = dataset
    FilelessDataset.built = 0
    found = analyse(other, str(CONFIG), checkpoint)
    assert len(other.reader.dataset('test_dataloader')) == 15
    assert FilelessDataset.built == 2  # the push and the test set, once each
    assert found.confusion_matrix.sum() == 15
    assert 'does not give the images that the prototypes were pushed onto' in found.origin
    assert {one.parts for one in found.prototypes} == {None}
    assert found.correct == found.mistakes == []


@DATASETS.register_module()
class EmptyDataset(ArrayDataset):
    """No images at all."""

    def __len__(self):
        return 0
