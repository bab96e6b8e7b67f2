import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmproto.functional import class_discriminant


@given(st.integers(0, 100), st.integers(1, 4))
def test_it_is_the_least_squares_of_numpy(seed, count):
    rng = np.random.default_rng(seed)
    points, classes = rng.normal(size=(30, 3)), rng.random((30, count)) < 0.5
    factors = np.c_[points, np.ones(30)]
    wanted = factors @ np.linalg.pinv(factors) @ classes
    found = class_discriminant(torch.from_numpy(points), torch.from_numpy(classes))
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_what_all_classes_have_tells_none_of_them():
    # Sky, which every image has, and one colour for each class; the last dimension says nothing.
    points = torch.tensor([[0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0]]).float()
    classes = torch.tensor([[1, 0], [0, 1], [1, 0], [0, 1]]).bool()
    found = class_discriminant(points, classes)
    wanted = torch.tensor([[0.5, 0.5], [0.5, 0.5], [1, 0], [0, 1]])
    torch.testing.assert_close(found.float(), wanted)
