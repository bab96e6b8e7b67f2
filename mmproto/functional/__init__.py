"""The paper's equations as pure functions; nothing here knows MMEngine or MMPretrain."""

from .box import Box, high_activation_box, upsample
from .cost import cluster_cost, l1_cost, separation_cost
from .distance import locate_nearest, nearest_distances, squared_distances, unfold_patches
from .precision import true_fp32
from .projection import NearestPatches, nearest_patches
from .pruning import nearest_image_classes, speaks_for_its_class
from .receptive_field import ReceptiveField
from .similarity import EPSILON, SIMILARITIES, linear_similarity, log_similarity

__all__ = [
    'EPSILON',
    'SIMILARITIES',
    'Box',
    'NearestPatches',
    'ReceptiveField',
    'cluster_cost',
    'high_activation_box',
    'l1_cost',
    'linear_similarity',
    'locate_nearest',
    'log_similarity',
    'nearest_distances',
    'nearest_image_classes',
    'nearest_patches',
    'separation_cost',
    'speaks_for_its_class',
    'squared_distances',
    'true_fp32',
    'unfold_patches',
    'upsample',
]
