"""The figures that tell whether a model's explanations are true, one in each file."""

from mmproto.evaluation.figure import Measure
from mmproto.evaluation.figures.camera_change import CameraChange
from mmproto.evaluation.figures.cell_stability import CellStability
from mmproto.evaluation.figures.deletion import Deletion
from mmproto.evaluation.figures.effective_field import EffectiveField
from mmproto.evaluation.figures.explanation_size import ExplanationSize
from mmproto.evaluation.figures.interventions import PartInterventions
from mmproto.evaluation.figures.on_object import OnObject
from mmproto.evaluation.figures.outside_attack import OutsideAttack
from mmproto.evaluation.figures.part_consistency import PartConsistency
from mmproto.evaluation.figures.part_purity import PartPurity
from mmproto.evaluation.figures.part_sets import PartSets
from mmproto.evaluation.figures.part_stability import PartStability
from mmproto.evaluation.figures.perturbation import Perturbation
from mmproto.evaluation.figures.points_explained import PointsExplained
from mmproto.evaluation.figures.quantus import QuantusLocalisation

# In the order in which a reader needs them.
MEASURES: dict[str, type[Measure]] = {
    measure.name: measure
    for measure in (
        PointsExplained,
        PartConsistency,
        PartPurity,
        OnObject,
        PartStability,
        CellStability,
        Deletion,
        EffectiveField,
        OutsideAttack,
        CameraChange,
        PartInterventions,
        PartSets,
        Perturbation,
        ExplanationSize,
        QuantusLocalisation,
    )
}
# What needs no package of its own.
BY_DEFAULT = [name for name in MEASURES if name != QuantusLocalisation.name]

__all__ = ['BY_DEFAULT', 'MEASURES']
