"""What there is to say of a prediction: the points of two logits, and where they come from."""

from dataclasses import dataclass

from torch import Tensor

from mmproto.explanation.prototype_match import PrototypeMatch


@dataclass(frozen=True)
class ClassExplanation:
    """How the logit of a class comes about: matches, rest and start sum to it.

    Attributes:
        label: The class.
        logit: Its logit, as the network gives it.
        probability: Its probability.
        matches: The class's own prototypes, or, if it has none, those that add most to its logit;
            the one with most points first.
        rest: Points of all prototypes that are not in ``matches``.
        start: Points that every image begins with, the class's bias; 0 where there is none.
    """

    label: int
    logit: float
    probability: float
    matches: list[PrototypeMatch]
    rest: float
    start: float = 0.0

    @property
    def by_own_prototypes(self) -> bool:
        """Whether the matches are the class's own prototypes, not for want of these others."""
        return any(match.prototype_class == self.label for match in self.matches)

    @property
    def error(self) -> float:
        """By how much the points miss the logit: rounding, about 1e-6."""
        points = sum(match.points for match in self.matches)
        return abs(self.start + points + self.rest - self.logit)


@dataclass(frozen=True)
class PredictionExplanation:
    """Why the network predicts what it does.

    Attributes:
        probabilities: Probability of every class (num_classes,).
        predicted: The predicted classes: one, or, of a head for any number of them, those or none,
            the most probable first.
        target: The class that was asked for, the most probable one if none was.
        rival: The class beside it: the most probable one if another was asked for, else the
            runner-up.
        most_similar: The prototypes with the highest scores over all classes, weighted for
            ``target``.
        highest_score: What a prototype scores on a patch that equals it.
        attribution: Name of the attribution that boxes and activations come from.
    """

    probabilities: Tensor
    predicted: list[int]
    target: ClassExplanation
    rival: ClassExplanation
    most_similar: list[PrototypeMatch]
    highest_score: float
    attribution: str

    @property
    def label(self) -> int:
        """The predicted class; of any number of them the most probable."""
        return int(self.probabilities.argmax())

    @property
    def matches(self) -> list[PrototypeMatch]:
        """All matches, of both classes and the most similar ones."""
        return [*self.target.matches, *self.rival.matches, *self.most_similar]
