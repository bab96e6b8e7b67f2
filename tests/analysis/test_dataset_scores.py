import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.random_scores import random_scores


@given(st.integers(0, 99), st.integers(1, 12), st.integers(2, 4))
def test_predictions_agree_with_plain_loops(seed, images, classes):
    one = random_scores(seed, images, 3, classes)
    matrix = np.zeros((classes, classes), int)
    for i, logits in enumerate(one.logits):
        predicted = max(range(classes), key=lambda label: logits[label])
        matrix[one.labels[i], predicted] += 1
        assert one.predicted[i] == predicted
        weights = np.exp(logits - logits.max())
        assert np.isclose(one.confidence[i], weights.max() / weights.sum(), atol=1e-5)
    assert (one.confusion_matrix == matrix).all()
