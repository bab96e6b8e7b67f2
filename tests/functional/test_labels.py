import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmproto.functional import (
    cluster_cost,
    image_labels,
    nearest_patch,
    of_class,
    pairwise_squared_distance,
    separation_cost,
)


def one_class(seed, images=7, classes=4, prototypes=9):
    generator = torch.Generator().manual_seed(seed)
    distances = torch.rand(images, prototypes, generator=generator)
    labels = torch.randint(classes, (images,), generator=generator)
    prototype_class = torch.randint(-1, classes, (prototypes,), generator=generator)
    return distances, labels, prototype_class, torch.eye(classes, dtype=torch.bool)[labels]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000))
def test_sets_of_one_label_are_as_labels(seed):
    distances, labels, prototype_class, sets = one_class(seed)
    assert torch.equal(of_class(labels, prototype_class), of_class(sets, prototype_class))
    assert all(map(torch.equal, image_labels(labels), image_labels(sets)))
    for cost in (cluster_cost, separation_cost):
        assert cost(distances, labels, prototype_class) == cost(distances, sets, prototype_class)


def test_costs_of_several_labels_and_of_none():
    distances = torch.tensor([[1.0, 2, 4], [3, 5, 7], [6, 8, 9]])
    sets = torch.tensor([[1, 1, 0], [0, 0, 0], [0, 0, 1]]).bool()
    classes = torch.tensor([0, 1, 2])
    assert cluster_cost(distances, sets, classes) == (1 + 2 + 9) / 3
    assert separation_cost(distances, sets, classes) == -(4 + 3 + 6) / 3
    assert cluster_cost(distances, torch.zeros(3, 3).bool(), classes) == 0


def test_a_push_goes_to_images_with_the_label():
    generator = torch.Generator().manual_seed(0)
    patches = torch.rand(5, 6, 3, generator=generator)
    prototypes = torch.rand(4, 3, 1, 1, generator=generator)
    sets = torch.tensor([[1, 1], [0, 0], [0, 1], [1, 0], [0, 0]]).bool()
    classes = torch.tensor([0, 0, 1, 1])
    found = nearest_patch(
        lambda z, p: pairwise_squared_distance(z[None], p)[0],
        patches, (2, 3), sets, torch.arange(5), prototypes, classes,
    )  # fmt: skip
    assert sets[found.image, classes].all()
    flat = prototypes.flatten(1)
    for j, label in enumerate(classes.tolist()):
        of_label = pairwise_squared_distance(patches[sets[:, label]], flat)[..., j]
        torch.testing.assert_close(found.distance[j], of_label.min())
