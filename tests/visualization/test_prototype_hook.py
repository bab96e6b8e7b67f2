import re

import numpy as np
import pytest
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from PIL import Image

from mmproto.engine.push_record import PushRecord, epoch_folder
from mmproto.errors import InputError
from mmproto.visualization import prototype_hook
from mmproto.visualization.prototype_sheet import prototype_sheet
from tests.toy import train_config

PUSH_EPOCHS = [0, 1, 2]


def config_of(work_dir, push_epochs=PUSH_EPOCHS, **settings):
    """One epoch and a push after it, several times."""
    config = train_config(work_dir)
    config['optim_wrapper']['schedule'] = dict(
        warm_epochs=0, epochs=max(push_epochs) + 1, push_epochs=push_epochs, last_layer_epochs=0
    )
    config['custom_hooks'].append(dict(type='PrototypeVisualizationHook', **settings))
    return config


def images_of(work_dir):
    """Number of images of each push."""
    return {
        epoch + 1: len(list(epoch_folder(work_dir, epoch + 1).glob('*.jpg')))
        for epoch in PUSH_EPOCHS
    }


def test_who_goes_on_from_a_checkpoint_has_the_images(tmp_path, monkeypatch):
    write, saved = prototype_hook.write_prototypes, []

    def watched(model, nearest, dataset, folder):
        epoch = int(folder.name.removeprefix('epoch_'))
        saved.append((tmp_path / f'epoch_{epoch}.pth').exists())
        write(model, nearest, dataset, folder)

    monkeypatch.setattr(prototype_hook, 'write_prototypes', watched)
    Runner.from_cfg(config_of(tmp_path)).train()
    assert saved == [False] * 3
    assert images_of(tmp_path) == {1: 18, 2: 18, 3: 18}


def test_the_visualizer_gets_a_sheet(tmp_path):
    Runner.from_cfg(config_of(tmp_path, [1])).train()
    (sheet,) = tmp_path.glob('*/vis_data/vis_image/prototypes_*.png')
    assert sheet.stem == 'prototypes_2'
    expected = np.asarray(prototype_sheet(epoch_folder(tmp_path, 2)))
    assert np.array_equal(np.asarray(Image.open(sheet)), expected)


@pytest.mark.parametrize(('keep', 'images'), [(1, {1: 0, 2: 0, 3: 18}), (2, {1: 0, 2: 18, 3: 18})])
def test_only_what_is_kept_is_drawn(tmp_path, monkeypatch, keep, images):
    remove = []
    monkeypatch.setattr(prototype_hook, 'remove_older_images', lambda *args: remove.append(args))
    Runner.from_cfg(config_of(tmp_path, keep_pushes=keep)).train()
    assert images_of(tmp_path) == images
    assert remove[-1] == (str(tmp_path), 3, keep)
    for epoch in PUSH_EPOCHS:  # what each did is kept
        assert PushRecord.load(epoch_folder(tmp_path, epoch + 1)).epoch == epoch + 1


def test_images_of_a_run_before_are_removed(tmp_path):
    Runner.from_cfg(config_of(tmp_path, [0, 1])).train()
    config = config_of(tmp_path, [2], keep_pushes=1)
    config['experiment_name'] += '_again'
    Runner.from_cfg(config).train()
    assert images_of(tmp_path) == {1: 0, 2: 0, 3: 18}


def test_a_drawing_that_fails_ends_no_training(tmp_path):
    (epoch_folder(tmp_path, 2) / '00003_crop.jpg').mkdir(parents=True)
    Runner.from_cfg(config_of(tmp_path)).train()
    for epoch in (1, 2, 3):
        assert (tmp_path / f'epoch_{epoch}.pth').is_file()
        assert (epoch_folder(tmp_path, epoch) / 'push.json').is_file()
        assert (epoch_folder(tmp_path, epoch) / 'prototypes.json').is_file()
    assert images_of(tmp_path)[3] == 18
    (log,) = tmp_path.glob('*/*.log')
    (warning,) = re.findall('Push: not all prototypes are drawn (.*)', log.read_text())
    assert re.fullmatch(r"\(IsADirectoryError: .*epoch_2/00003_crop\.jpg'\)\.", warning)


@pytest.mark.parametrize('keep', [0, -1, 1.5, True, 'all'])
def test_a_number_of_pushes_that_cannot_be_is_refused(keep):
    with pytest.raises(InputError, match=r'keep_pushes=.*give a positive integer'):
        HOOKS.build(dict(type='PrototypeVisualizationHook', keep_pushes=keep))
