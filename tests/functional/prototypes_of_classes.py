"""Prototypes of classes, as pruning may leave them."""

import torch
from hypothesis import strategies as st


@st.composite
def prototypes_of_classes(draw):
    """Prototypes (P, D, h, w), some of them equal or zero, and their classes, in any order."""
    classes = draw(st.lists(st.integers(-1, 3), min_size=1, max_size=9))
    shape = draw(st.sampled_from([(4, 1, 1), (3, 2, 1), (2, 2, 2)]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    prototypes = torch.randn(len(classes), *shape, generator=generator)
    for j in range(len(classes)):
        match draw(st.sampled_from(['random', 'random', 'zero', 'copy'])):
            case 'zero':
                prototypes[j] = 0
            case 'copy':
                prototypes[j] = prototypes[draw(st.integers(0, j))]
    return prototypes.requires_grad_(), torch.tensor(classes)


def rivals(prototypes, prototype_class):
    """For each prototype the cosines to the others of its class that have a direction, by loop."""
    vectors = prototypes.detach().double().flatten(1)
    found = []
    for j, (p, c) in enumerate(zip(vectors, prototype_class.tolist())):
        found.append(
            [
                float(p @ q / p.norm() / q.norm())
                for m, (q, d) in enumerate(zip(vectors, prototype_class.tolist()))
                if m != j and c == d >= 0 and p.norm() > 0 and q.norm() > 0
            ]
        )
    return found
