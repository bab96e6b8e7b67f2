"""Which checks of the prototypes could be made, and which could not, and why."""

from math import isnan
from typing import NamedTuple

from mmproto.analysis.prototype_statistics import PrototypeStatistics


class Check(NamedTuple):
    """A check of the prototypes.

    Attributes:
        name: What is looked for.
        checked: Of how many prototypes it could be told.
        missing: Why not of all, '' if it could.
    """

    name: str
    checked: int
    missing: str = ''


def checks_made(prototypes: list[PrototypeStatistics], pushed: bool) -> list[Check]:
    """Say of every check how many prototypes it could be made of.

    Args:
        prototypes: What is known of them.
        pushed: Whether they have ever been pushed.
    """
    no_images = "the config's push_dataloader does not give the images of the push"
    no_patch = no_images if pushed else 'the prototypes have never been pushed'
    no_parts = no_patch if _count(prototypes, 'contrast') == 0 else 'the data annotates no parts'
    no_masks = 'the data has no masks, or no image is taken for their class'
    known = {
        'nearly blank patches': ('contrast', no_patch),
        'text, markers and frames that unlike images share': (
            'unlike',
            'their patches have no detail, or too few images are unlike',
        ),
        'looks at background': ('on_object', no_masks),
        'patches without any annotated part': ('parts', no_parts),
        'prototypes that are not their training patch': ('own_score', no_patch),
        'places on the border': ('place', 'the feature map is too small to have an inside'),
        'prototypes that score no more on their own class': (
            'score_own',
            'they have no class, or there are no test images of it, or of others',
        ),
        'patches of other classes nearer than those of its own': ('nearest_train', no_images),
        'how often a prototype fires': ('nearest_test', ''),
    }
    result = []
    for name, (field, why) in known.items():
        count = _count(prototypes, field)
        if field in ('unlike', 'place') and not _count(prototypes, 'contrast'):
            why = no_patch
        result.append(Check(name, count, '' if count == len(prototypes) else why))
    return result


def _count(prototypes: list[PrototypeStatistics], field: str) -> int:
    if field == 'unlike':
        return sum(one.shared[1] >= 2 for one in prototypes)
    if field == 'score_own':
        return sum(not isnan(one.score_own + one.score_other) for one in prototypes)
    if field in ('place', 'nearest_train', 'nearest_test'):
        return sum(bool(getattr(one, field)) for one in prototypes)
    return sum(getattr(one, field) is not None for one in prototypes)
