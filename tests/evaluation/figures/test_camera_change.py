import numpy as np
import pytest
import torch

from mmproto.evaluation.figures.camera_change import CameraChange
from mmproto.evaluation.measures.camera_change import another_camera
from tests.evaluation.figures.images import classes, explained, rows_of, varied_network


@pytest.mark.parametrize('bgr', [False, True])
def test_colours_are_changed_as_they_are_seen(bgr):
    network = varied_network()
    network.model.data_preprocessor.to_rgb = bgr
    images = explained(network, count=12)
    rows = rows_of(images, CameraChange().look(images, network))
    inputs = []
    for image in images:
        seen = image.pixels.permute(1, 2, 0).numpy()[..., :: -1 if bgr else 1]
        changed = another_camera(np.ascontiguousarray(seen), np.random.default_rng(image.number))
        # The preprocessor turns what was loaded as BGR into what is seen.
        inputs.append(torch.from_numpy(changed.copy()).permute(2, 0, 1) / 255)
    outputs = network.outputs(torch.stack(inputs))
    for number, (image, row) in enumerate(zip(images, rows)):
        assert row['right_after'] == (int(outputs.logits[number].argmax()) == image.label)
        assert row['prototypes'].tolist() == image.shown
        maps = network.similarity_maps(outputs.feature_map[number]).cpu().numpy()
        for prototype, shift, drop in zip(image.shown, row['shift'], row['drop']):
            before, after = (
                np.argwhere(one > one.max() - 0.02)
                for one in (image.maps[prototype], maps[prototype])
            )  # maps round where a patch is close to a prototype: any of these may be highest
            assert shift in abs(before[:, None] - after).sum(axis=-1)
            score = float(outputs.scores[number, prototype])
            assert maps[prototype].max() == pytest.approx(score, abs=0.02)
            assert drop == pytest.approx(abs(1 - score / image.scores[prototype]), abs=1e-5)
    assert len({image.predicted for image in images}) > 1
    assert any(row['shift'].any() for row in rows)
    figure, *_ = CameraChange().figures(rows, classes(network))
    assert figure.estimate.value == pytest.approx(np.mean([row['right_after'] for row in rows]))
