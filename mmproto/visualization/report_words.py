"""Figures of a report in words, for its page and for the command line."""

from math import isnan

from mmproto.analysis.part_agreement import PartAgreement
from mmproto.analysis.prototype_statistics import PrototypeStatistics


def percent(share: float) -> str:
    """Return a share in words."""
    return f'{100 * share:.0f} %'


def fires_in_words(one: PrototypeStatistics) -> str:
    """On how many test images a prototype fires."""
    if one.label < 0:
        return f'Fires on {percent(one.fires_other)} of all test images.'
    if isnan(one.fires_own):
        return f'Its class has no test image; fires on {percent(one.fires_other)} of the others.'
    own = f'Fires on {percent(one.fires_own)} of its class'
    if isnan(one.fires_other):
        return f'{own}; there is no other test image.'
    return f'{own}, {percent(one.fires_other)} of the others.'


def part_agreement_in_words(agreement: PartAgreement) -> str:
    """Return what the part locations say of the boxes."""

    def by_chance(share: float) -> str:
        return f'by chance it would be {percent(share)}'

    if isnan(agreement.on_same_part):
        same_part = 'none has a training patch that shows a part'
    else:
        same_part = (
            f'{percent(agreement.on_same_part)} on a part that their training patch shows '
            f'({by_chance(agreement.chance_on_same_part)})'
        )
    return (
        f'Of the ten highest-scoring prototypes of each test image, {percent(agreement.on_object)} '
        f'have their box on the object ({by_chance(agreement.chance_on_object)}), {same_part}.'
    )
