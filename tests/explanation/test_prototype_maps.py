import numpy as np
import torch
from mmpretrain.registry import MODELS

from mmproto.explanation.attribution import receptive_field
from mmproto.explanation.prototype_maps import prototype_maps
from tests.toy import model_config


@torch.no_grad()
def test_they_are_those_of_the_head():
    torch.manual_seed(0)
    model = MODELS.build(model_config(prototype_size=(2, 1))).eval()
    feats = model.extract_feat(torch.rand(1, 3, 16, 20))
    outputs, expected = model.head.outputs(feats), model.head.similarity_maps(feats)[0]
    maps = prototype_maps(model.head, outputs, [4, 1])
    assert maps.prototypes == [4, 1]
    assert np.array_equal(maps.scores, expected[[4, 1]].numpy())
    assert np.array_equal(maps.locations, outputs.locations[0, [4, 1]].numpy())
    for scores, (row, column) in zip(maps.scores, maps.locations):
        assert scores[row, column] == scores.max()


@torch.no_grad()
def test_of_equal_patches_the_one_that_the_head_names_is_taken():
    model = MODELS.build(model_config(prototype_size=1)).eval()
    model.backbone = MODELS.build(
        dict(type='TIMMBackbone', model_name='resnet10t', features_only=True, out_indices=(0,))
    )
    outputs = model.head.outputs([torch.zeros(1, 6, 8, 8)])  # patches that are all alike
    outputs.locations[:] = torch.tensor([7, 7])
    maps = prototype_maps(model.head, outputs, [0])
    assert maps.locations.tolist() == [[7, 7]]
    (marked,) = receptive_field(model, torch.zeros(3, 16, 16), maps)
    assert marked[15, 15] == 1
    assert marked[0, 0] == 0
