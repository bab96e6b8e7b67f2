import torch
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.analysis.prototype_patches import duplicates, own_patches, prototypes_by_image
from mmproto.analysis.score_dataset import score_dataset
from mmproto.apis import push_prototypes
from tests.analysis.small_model import small_model
from tests.toy import ArrayDataset, loader, model_config


def scored(model, dataset):
    pairs = prototypes_by_image(model.head, len(dataset))
    return score_dataset(model, dataset, 4, 'train', pairs=pairs)


def test_own_patches_are_told_only_for_the_images_of_the_push():
    for similarity in ('log', 'cosine'):
        model = small_model(similarity=similarity)
        dataloader = Runner.build_dataloader(loader())
        assert prototypes_by_image(model.head, 12) == {}  # never pushed
        assert own_patches(model.head, scored(model, dataloader.dataset)) == {}
        push_prototypes(model, dataloader)
        images = model.head.prototype_image.tolist()
        by_image = prototypes_by_image(model.head, 12)
        assert {i: [j for j in range(6) if images[j] == i] for i in images} == by_image
        own = own_patches(model.head, scored(model, dataloader.dataset))
        assert sorted(own) == list(range(6))
        for j, patch in own.items():
            assert patch.image == images[j]
            assert list(patch.location) == model.head.prototype_location[j].tolist()
        for dataset in (ArrayDataset(seed=5), ArrayDataset(count=max(images))):
            assert own_patches(model.head, scored(model, dataset)) == {}


def test_duplicates_are_of_one_class_and_patch():
    head = MODELS.build(model_config()).head
    assert duplicates(head) == [[]] * 6  # never pushed
    head.prototype_image[:] = torch.tensor([4, 4, 4, 4, 4, 7])
    head.prototype_location[:] = torch.tensor([[1, 2], [1, 2], [1, 2], [2, 1], [0, 0], [0, 0]])
    assert duplicates(head) == [[1], [0], [], [], [], []]
