import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mmpretrain.registry import MODELS

from mmproto.analysis.dataset_scores import survey
from mmproto.analysis.nearest_images import find_boxes, nearest_images, nearest_sightings
from mmproto.explanation.high_activation import high_activation_box, upsample
from tests.toy import ArrayDataset, model_config

SHAPES = st.tuples(st.integers(1, 8), st.integers(1, 4))


@given(arrays(np.float32, SHAPES, elements=st.sampled_from([0, 1, 2])), st.integers(1, 9))
def test_ties_go_to_the_first_image(score, k):
    for j, images in enumerate(nearest_images(score, k)):
        ranked = sorted(range(len(score)), key=lambda i: (-score[i, j], i))
        assert images.tolist() == ranked[:k]


@torch.no_grad()
def test_boxes_and_sightings_agree_with_plain_loops():
    torch.manual_seed(0)
    model, dataset = MODELS.build(model_config()).eval(), ArrayDataset(count=8)
    surveyed = survey(model, dataset, batch_size=8)
    wanted = [(i, j) for j, images in enumerate(nearest_images(surveyed.score, 3)) for i in images]
    boxes = find_boxes(model, dataset, wanted, batch_size=2)
    assert set(boxes) == set(wanted)
    for (i, j), box in boxes.items():
        feats = model.extract_feat(dataset[i]['inputs'][None] / 255)
        similarity = model.head.similarity_maps(feats)[0, j].numpy()
        assert box == high_activation_box(upsample(similarity, (16, 16)))
    for j, patches_seen in enumerate(nearest_sightings(surveyed, 3, boxes, 'train')):
        ranked = sorted(range(8), key=lambda i: -surveyed.score[i, j])[:3]
        assert [sighting.image for sighting in patches_seen] == ranked
        for sighting in patches_seen:
            assert sighting.split == 'train'
            assert sighting.label == sighting.image % 3
            assert sighting.similarity == surveyed.score[sighting.image, j]
            assert sighting.box == boxes[sighting.image, j]
