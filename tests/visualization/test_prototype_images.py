import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.errors import InputError
from mmproto.visualization.prototype_images import (
    NoImages,
    SavedImages,
    TrainingImages,
    find_saved,
    push_folders,
)
from tests.pushing import push_to
from tests.toy import loader, model_config


@pytest.fixture
def dataloader():
    return Runner.build_dataloader(loader())


@pytest.fixture
def pushed(tmp_path, dataloader):
    """A model, pushed twice in a row as in a training; the folder of its working directory."""
    torch.manual_seed(0)
    model = MODELS.build(model_config())
    push_to(tmp_path / 'prototypes' / 'epoch_9', model, dataloader)
    torch.nn.init.uniform_(model.head.prototype_vectors)
    push_to(tmp_path / 'prototypes' / 'epoch_10', model, dataloader)
    return model, tmp_path


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ('image', 'crop')
    )


def test_the_folder_of_the_last_push_is_found_beside_the_checkpoint(pushed):
    model, folder = pushed
    found = find_saved(model.head, push_folders(folder / 'epoch_12.pth'))
    assert found.folder == folder / 'prototypes' / 'epoch_10'
    assert 'epoch_10' in found.origin
    assert found.path(3) == f'{int(model.head.prototype_image[3])}.png'


def test_the_images_of_another_push_are_refused(pushed):
    model, folder = pushed
    with pytest.raises(InputError, match='another push'):
        SavedImages(model.head, folder / 'prototypes' / 'epoch_9')
    with pytest.raises(InputError, match='a folder that a push has written'):
        SavedImages(model.head, folder)
    assert find_saved(model.head, [folder, folder / 'prototypes' / 'epoch_9']) is None


def test_pruning_mixes_no_images(pushed):
    model, folder = pushed
    before = SavedImages(model.head, folder / 'prototypes' / 'epoch_10')
    model.head.prune(torch.tensor([False, True, True, False, True, True]))
    after = find_saved(model.head, push_folders(folder / 'pruned.pth'))
    for new, old in enumerate([1, 2, 4, 5]):
        assert same(after.images(new), before.images(old))


def test_training_images_show_what_the_push_has_saved(pushed, dataloader):
    model, folder = pushed
    # A push draws how similar a prototype was before it moved: here it moves no more.
    push_to(folder / 'again', model, dataloader)
    saved = SavedImages(model.head, folder / 'again')
    training = TrainingImages(model, dataloader.dataset)
    for prototype in range(6):
        one, other = training.images(prototype), saved.images(prototype)
        assert training.path(prototype) == saved.path(prototype)
        for name in ('image', 'crop', 'heat'):
            drawn, read = getattr(one, name).astype(int), getattr(other, name).astype(int)
            assert drawn.shape == read.shape
            assert np.abs(drawn - read).mean() < 12  # noise, saved as JPEG


def test_images_of_another_data_set_are_not_shown(pushed):
    model, _ = pushed
    other = Runner.build_dataloader(loader(seed=7)).dataset
    images = [TrainingImages(model, other).images(prototype) for prototype in range(6)]
    assert images.count(None) >= 4  # by chance one may be at the same place


def test_a_damaged_record_is_named(pushed):
    model, folder = pushed
    file = folder / 'prototypes' / 'epoch_10' / 'prototypes.json'
    file.write_text(file.read_text()[:100])
    with pytest.raises(InputError, match='is damaged'):
        SavedImages(model.head, file.parent)
    assert find_saved(model.head, push_folders(folder / 'epoch_12.pth')) is None


def test_a_push_whose_images_are_removed_is_passed_over(pushed):
    model, folder = pushed
    removed = folder / 'prototypes' / 'epoch_10'
    for file in removed.glob('*.jpg'):
        file.unlink()
    with pytest.raises(InputError, match='has no images of the prototypes any more'):
        SavedImages(model.head, removed)
    assert find_saved(model.head, push_folders(folder / 'epoch_12.pth')) is None


def test_missing_images_are_none(pushed, dataloader):
    model, folder = pushed
    saved = SavedImages(model.head, folder / 'prototypes' / 'epoch_10')
    (saved.folder / '00002_crop.jpg').unlink()
    assert saved.images(2) is None
    assert NoImages().images(0) is NoImages().path(0) is None
    never = MODELS.build(model_config()).eval()
    training = TrainingImages(never, dataloader.dataset)
    assert training.images(0) is training.path(0) is None
