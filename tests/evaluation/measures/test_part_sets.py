"""Sets of parts that single out a class, and classes that share two parts with one."""

from dataclasses import astuple
from itertools import combinations

import numpy as np
import pytest

from mmproto.datasets.birds import MAX_SPECIES, species
from mmproto.evaluation.measures.part_sets import contrasting_classes, sufficient_sets

BIRDS = np.array([astuple(species(number)) for number in range(MAX_SPECIES)])


def singles_out(variants, label, members):
    others = [row for n, row in enumerate(variants) if n != label]
    return not any(all(row[k] == variants[label][k] for k in members) for row in others)


@pytest.mark.parametrize('count', [2, 3, 12, 20])
def test_sets_single_a_species_out_and_none_of_their_subsets_does(count):
    for label in range(count):
        found = {tuple(np.flatnonzero(one)) for one in sufficient_sets(BIRDS[:count], label)}
        expected = {
            members
            for size in range(1, 7)
            for members in combinations(range(6), size)
            if singles_out(BIRDS[:count], label, members)
            and not any(
                singles_out(BIRDS[:count], label, subset)
                for fewer in range(1, size)
                for subset in combinations(members, fewer)
            )
        }
        assert found == expected


def test_three_parts_of_all_species_are_needed_and_enough():
    sets = sufficient_sets(BIRDS, 5)
    assert (sets.sum(axis=1) == 3).all()
    assert len(sets) == 20


def test_the_last_class_has_sets_too_and_a_class_like_another_has_none():
    variants = np.array([['a', 'x'], ['b', 'x'], ['a', 'y']])
    assert sufficient_sets(variants, 0).tolist() == [[True, True]]
    assert sufficient_sets(variants, 2).tolist() == [[False, True]]
    assert sufficient_sets(variants[[0, 0]], 1).shape == (0, 2)


def test_contrasting_classes_share_two_parts_each_and_none_with_each_other_and_the_class():
    for label in range(20):
        pair = contrasting_classes(BIRDS[:20], label)
        one, other = (BIRDS[number] == BIRDS[label] for number in pair)
        assert one.sum() == other.sum() == 2
        assert not (one & other).any()
        assert label not in pair
    variants = np.array([[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 2], [3, 3, 0, 0]])
    assert contrasting_classes(variants, 0) == (1, 3)
    assert contrasting_classes(variants[:3], 0) is None
