import copy

import torch
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from mmproto.apis import push_prototypes
from tests.toy import loader, model_config


def test_a_pushed_prototype_scores_the_most_on_its_image():
    torch.manual_seed(0)
    model = MODELS.build(model_config())
    dataloader = Runner.build_dataloader(loader(count=37, size=48))
    before = copy.deepcopy(model.head.prototype_vectors.data)
    nearest = push_prototypes(model, dataloader)
    head = model.head
    moved = (head.prototype_vectors.data - before).square().flatten(1).sum(1)
    torch.testing.assert_close(nearest.distance, moved)
    torch.testing.assert_close(head.prototype_distance, moved)
    assert bool(head.prototypes_are_patches)
    assert not model.training
    for prototype, image in enumerate(head.prototype_image.tolist()):
        assert dataloader.dataset.labels[image] == head.prototype_class[prototype]
        inputs = dataloader.dataset[image]['inputs'][None].float() / 255
        maps = head.similarity_maps(model.extract_feat(inputs))[0, prototype]
        row, column = head.prototype_location[prototype].tolist()
        assert maps[row, column] == maps.max()
        assert head.pre_logits(model.extract_feat(inputs))[0, prototype].item() > 9.2
