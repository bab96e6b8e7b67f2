"""The paper's equations as pure functions; nothing here knows MMEngine or MMPretrain."""

from mmproto.functional.box import Box
from mmproto.functional.cost import cluster_cost, l1_cost, separation_cost
from mmproto.functional.nearest_patch import NearestPatches, nearest_patches
from mmproto.functional.precision import true_fp32
from mmproto.functional.pruning import nearest_image_classes, speaks_for_its_class
from mmproto.functional.receptive_field import ReceptiveField
from mmproto.functional.similarity import EPSILON, SIMILARITIES, linear_similarity, log_similarity
from mmproto.functional.squared_distance import (
    locate_nearest,
    nearest_distances,
    squared_distances,
    unfold_patches,
)

__all__ = [
    'EPSILON',
    'SIMILARITIES',
    'Box',
    'NearestPatches',
    'ReceptiveField',
    'cluster_cost',
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
]
