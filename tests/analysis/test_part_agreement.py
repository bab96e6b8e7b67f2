import numpy as np
import pytest

from mmproto.analysis.part_agreement import part_agreement
from mmproto.functional import Box


def test_shares_agree_with_plain_loops():
    rng = np.random.default_rng(0)
    images, prototypes, parts = 9, 14, 4
    places = [rng.uniform(0, 20, (parts, 2)) for _ in range(images)]
    places[2][1] = np.nan
    own = {j: rng.random(parts) < 0.3 for j in range(prototypes) if j != 3}
    own[5][:] = False
    boxes = {}
    for i in range(images):
        for j in rng.permutation(prototypes)[:10].tolist():
            top, left = rng.integers(0, 15, 2).tolist()
            boxes[i, j] = Box(top, top + 6, left, left + 8)
    agreement = part_agreement(boxes, places, own)
    for shift, on_object, on_same_part in (
        (0, agreement.on_object, agreement.on_same_part),
        (4, agreement.chance_on_object, agreement.chance_on_same_part),
    ):
        some, same = [], []
        for (i, j), (top, bottom, left, right) in boxes.items():
            found = {
                part
                for part, (y, x) in enumerate(places[(i + shift) % images])
                if top <= y < bottom and left <= x < right
            }
            some.append(len(found) > 0)
            if j not in (3, 5) and own[j].any():
                same.append(len(found & set(np.flatnonzero(own[j]))) > 0)
        assert on_object == pytest.approx(np.mean(some))
        assert on_same_part == pytest.approx(np.mean(same))
        assert len(same) < len(some)
    assert agreement.images == images
    assert np.isnan(part_agreement(boxes, places, {}).on_same_part)
