"""The figures that tell whether a model's explanations are true, one in each file."""

from mmproto.evaluation.figure import Measure
from mmproto.evaluation.figures.camera_change import CameraChange
from mmproto.evaluation.figures.deletion import Deletion
from mmproto.evaluation.figures.outside_attack import OutsideAttack
from mmproto.evaluation.figures.points_explained import PointsExplained

# In the order in which a reader needs them.
MEASURES: dict[str, type[Measure]] = {
    measure.name: measure for measure in (PointsExplained, Deletion, OutsideAttack, CameraChange)
}

__all__ = ['MEASURES', 'CameraChange', 'Deletion', 'OutsideAttack', 'PointsExplained']
