"""Figures of a report in words, for its page and for the command line."""

from math import isnan

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
