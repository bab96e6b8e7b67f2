"""What speaks against a prototype, the worst first."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mmproto.analysis.prototype_statistics import PrototypeStatistics

# Grey values of a patch that vary less than so much of what those of a typical training image do.
# Sky, paper and the black around a scan have up to 0.15, plumage, bone and tissue 0.3 and more.
# What lies between is worth a look.
BLANK, FAINT = 0.2, 0.3
# Share of the unlike images of its class or near the prototype that have its patch pixel for pixel.
# One of 60 prototypes on rendered plumage has as much, if nobody says where the birds are.
SHARED = 0.25
LARGE = 0.5  # of the image, above which a box shows nothing in particular
FROM_ONE_IMAGE = 3  # prototypes of a class; two may well be two parts of one object
# Of the way from 0 to the highest score: what scores less resembles nothing, what a prototype
# scores less than the highest on its own patch it has moved away from it.
NEAR_ZERO, AS_PUSHED = 0.1, 0.9


class Concern(NamedTuple):
    """Something that speaks against a prototype.

    Attributes:
        kind: What it is, in words that are the same for all prototypes.
        figures: What is special to this one, in words; '' if nothing is.
        serious: Whether the prototype explains nothing, or the wrong thing, if it is true. What is
            not is a hint: look at it.
    """

    kind: str
    figures: str = ''
    serious: bool = True

    def __str__(self) -> str:
        return f'{self.kind}: {self.figures}' if self.figures else self.kind


def find_concerns(one: 'PrototypeStatistics') -> list[Concern]:
    """Return what speaks against a prototype, what is serious first; empty if nothing does."""
    found = [*_of_pixels(one), *_of_patch(one), *_of_class(one), *_of_firing(one)]
    return sorted(found, key=lambda concern: not concern.serious)


def _of_pixels(one: 'PrototypeStatistics') -> list[Concern]:
    found = []
    if one.contrast is not None and one.contrast < FAINT:
        figures = f'its contrast is {one.contrast:.0%} of that of a typical training image'
        blank = one.contrast < BLANK
        found.append(Concern('nearly blank' if blank else 'has little contrast', figures, blank))
    shared, unlike = one.shared
    if shared >= 2 and shared >= SHARED * unlike and not _is_on_object(one):
        figures = f'{shared} of {unlike} otherwise unlike training images have it at the same place'
        found.append(Concern('may be text, a marker or a frame', figures))
    if one.on_object is not None and one.on_object[0] < one.on_object[1]:
        on, covered = one.on_object
        figures = (
            f'{on:.0%} of what it marks in test images is on the object, which covers {covered:.0%}'
        )
        found.append(Concern('looks at background', figures))
    if one.on_object is None and one.parts == []:
        found.append(Concern('has no annotated part in its box', serious=False))
    return found


def _is_on_object(one: 'PrototypeStatistics') -> bool:
    """Whether annotations say that it is on the object: that is what such images share then."""
    if one.on_object is not None:
        return one.on_object[0] >= one.on_object[1]
    return bool(one.parts)


def _of_patch(one: 'PrototypeStatistics') -> list[Concern]:
    found = []
    highest = one.highest_score
    if one.own_score is not None and _is_below(one.own_score, AS_PUSHED, highest):
        figures = f'it scores {one.own_score:.2f} there, not {highest:.2f}'
        found.append(Concern('is not its training patch any more', figures))
    if one.duplicates:
        count = len(one.duplicates)
        others = 'another prototype' if count == 1 else f'{count} others'
        found.append(Concern(f'shares its patch with {others}', serious=False))
    if len(one.from_same_image) + 1 >= FROM_ONE_IMAGE:
        figures = f'{len(one.from_same_image)} others of its class are'
        found.append(Concern('is a patch of an image that others are patches of', figures, False))
    if one.box_share > LARGE:
        figures = f'it covers {one.box_share:.0%}'
        found.append(Concern('has a box over half the image', figures, False))
    if one.place in ('border', 'corner'):
        where = 'in a corner' if one.place == 'corner' else 'on the border'
        found.append(Concern(f'lies {where} of the feature map', serious=False))
    return found


def _of_class(one: 'PrototypeStatistics') -> list[Concern]:
    found = []
    if one.score_own <= one.score_other:  # false where there are no such images
        figures = (
            f'it scores {one.score_own:.2f} on test images of its class and '
            f'{one.score_other:.2f} on all others, on average'
        )
        found.append(Concern('speaks for the wrong class', figures))
    if one.label not in (-1, one.strongest_class):
        figures = f'its weights are {one.strongest_weight:.2f} and {one.weight:.2f}'
        kind = 'adds more to the logit of another class than to that of its own'
        found.append(Concern(kind, figures))
    own = sum(patch.label == one.label for patch in one.nearest_train)
    if one.label >= 0 and own < min(len(one.nearest_train), one.class_images) / 2:
        figures = f'{own} of its {len(one.nearest_train)} nearest training patches are of its own'
        found.append(Concern('is found in other classes as well', figures, serious=False))
    return found


def _of_firing(one: 'PrototypeStatistics') -> list[Concern]:
    found = []
    scores = [patch.score for patch in one.nearest_test]
    if scores and one.highest_score > 0 and max(scores) < NEAR_ZERO * one.highest_score:
        figures = f'the highest score is {max(scores):.2f} of {one.highest_score:.2f}'
        found.append(Concern('resembles nothing in the test set', figures, False))
    if one.fires_other == 0 and (one.fires_own == 0 or one.label < 0):
        found.append(Concern('never fires', serious=False))
    return found


def _is_below(score: float, share: float, highest: float) -> bool:
    """Whether a score misses the highest, which may be 0, by more than the rest of a share."""
    return highest - score > (1 - share) * max(1.0, abs(highest))
