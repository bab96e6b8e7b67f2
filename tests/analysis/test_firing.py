from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmproto.analysis.firing import fires_among, firing_shares
from tests.analysis.random_scores import random_scores


@given(st.integers(0, 99), st.integers(1, 12), st.integers(1, 50), st.integers(2, 4))
def test_shares_agree_with_plain_loops(seed, images, prototypes, classes):
    one = random_scores(seed, images, prototypes, classes)
    prototype_class = np.random.default_rng(seed).integers(-1, classes, size=prototypes)
    own, other = firing_shares(one, prototype_class)
    among = max(1, min(10, prototypes // classes))
    for j in range(prototypes):
        answers = {True: [], False: []}
        for i in range(images):
            fires = j in one.highest[i, :among]
            answers[bool(one.labels[i] == prototype_class[j])].append(fires)
        for share, asked in ((own[j], answers[True]), (other[j], answers[False])):
            assert np.isnan(share) if not asked else np.isclose(share, np.mean(asked))


def test_few_prototypes_do_not_all_fire():
    assert [fires_among(*sizes) for sizes in ((6, 3), (2, 3), (20, 3), (2000, 200), (60, 2))] == [
        2, 1, 6, 10, 10,
    ]  # fmt: skip
    one = replace(
        random_scores(0, 2, 4, 2),
        labels=np.array([0, 1]),
        highest=np.array([[0, 1, 3, 2], [2, 3, 1, 0]]),
    )
    own, other = firing_shares(one, np.array([0, 0, 1, 1]))
    assert own.tolist() == [1, 1, 1, 1]
    assert other.tolist() == [0, 0, 0, 0]
