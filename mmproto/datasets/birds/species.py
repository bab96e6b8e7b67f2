"""What the species are: six parts, four variants of each, combined by a code.

A species is a word of six symbols, one a part, and the 64 words are those of the hexacode: two of
them never agree in more than two places. So no part names a species, any two species differ in at
least four parts, and three parts together are enough to tell which bird it is.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import reduce
from operator import xor

VARIANTS = {
    'beak': ('hooked', 'slender', 'conical', 'sickle'),
    'crown': ('crested', 'capped', 'striped', 'plain'),
    'wing': ('barred', 'spotted', 'plain', 'two-tone'),
    'breast': ('spotted', 'streaked', 'plain', 'banded'),
    'tail': ('forked', 'fan', 'long', 'square'),
    'feet': ('stilted', 'short', 'webbed', 'booted'),
}

# Row b is what bit b of a species' number adds (by xor) to its word. In this order the first four
# species already share every variant they use in pairs, and so do the first n for all n >= 8.
GENERATORS = (
    (0, 0, 1, 1, 1, 1),
    (1, 1, 0, 0, 1, 1),
    (2, 3, 2, 3, 2, 3),
    (0, 2, 0, 2, 3, 1),
    (0, 0, 2, 2, 2, 2),
    (0, 1, 0, 1, 2, 3),
)
MAX_SPECIES = 2 ** len(GENERATORS)

BILLS = {
    'hooked': 'Hook_billed',
    'slender': 'Slender_billed',
    'conical': 'Cone_billed',
    'sickle': 'Sickle_billed',
}
WINGS = {'barred': 'Barwing', 'spotted': 'Spotwing', 'plain': 'Bluewing', 'two-tone': 'Goldwing'}


@dataclass(frozen=True)
class Species:
    """One variant of each part; the fields are the keys of `VARIANTS`, in order."""

    beak: str
    crown: str
    wing: str
    breast: str
    tail: str
    feet: str

    @property
    def name(self) -> str:
        """A name as CUB-200-2011 writes them; bill, crown and wing make it unique."""
        return f'{BILLS[self.beak]}_{self.crown.capitalize()}_{WINGS[self.wing]}'

    def differing_parts(self, other: Species) -> list[str]:
        """Return the parts that tell this species from another."""
        pairs = zip(VARIANTS, astuple(self), astuple(other))
        return [part for part, mine, theirs in pairs if mine != theirs]


def species(number: int) -> Species:
    """Return the species of a number, whatever the number of species in use.

    Args:
        number: From 0 to `MAX_SPECIES` - 1.
    """
    if not 0 <= number < MAX_SPECIES:
        raise ValueError(f'species are numbered 0 to {MAX_SPECIES - 1}, not {number}')
    rows = [row for bit, row in enumerate(GENERATORS) if number >> bit & 1]
    word = (reduce(xor, symbols, 0) for symbols in zip((0,) * len(VARIANTS), *rows))
    return Species(*(names[symbol] for names, symbol in zip(VARIANTS.values(), word)))
