"""The paper's equations as pure functions of torch; nothing here knows MMEngine or MMPretrain."""

from mmproto.functional.binary_score_loss import BinaryScoreLoss
from mmproto.functional.block_sparse_weight import BlockSparseWeight
from mmproto.functional.box import Box, cells_box
from mmproto.functional.certificate import (
    certified_radius,
    certify,
    followed_interval,
    moved_interval,
)
from mmproto.functional.class_discriminant import class_discriminant
from mmproto.functional.cluster_cost import cluster_cost
from mmproto.functional.connection_penalty import ConnectionPenalty, own_connections
from mmproto.functional.cosine_distance import (
    cosine_distance,
    pairwise_cosine_distance,
    unit_length,
)
from mmproto.functional.different_patches import (
    NearestPatches,
    different_patches,
    nearest_patches,
)
from mmproto.functional.effective_receptive_field import effective_receptive_field
from mmproto.functional.l1_cost import l1_cost
from mmproto.functional.labels import image_labels, of_class
from mmproto.functional.log_similarity import EPSILON, log_similarity
from mmproto.functional.model_selection import (
    held_out,
    sparsest_within_one_standard_error,
    standard_error,
)
from mmproto.functional.nearest_distance import nearest_distance
from mmproto.functional.nearest_images import NearestImages, nearest_images
from mmproto.functional.nearest_patch import NearestPatch, nearest_patch
from mmproto.functional.own_class_points import own_class_points
from mmproto.functional.patches import unfold_patches
from mmproto.functional.precision import true_fp32
from mmproto.functional.projection_theorem import ProjectionTheorem, projection_theorem
from mmproto.functional.prototype_contrast_cost import prototype_contrast_cost
from mmproto.functional.pruning import (
    all_but,
    emptied_classes,
    is_used,
    keep_last_of_class,
    merge_duplicates,
    speaks_for_its_class,
)
from mmproto.functional.receptive_field import ReceptiveField
from mmproto.functional.score_loss import ScoreLoss
from mmproto.functional.separation_cost import separation_cost
from mmproto.functional.sparse_last_layer import (
    LastLayerSolution,
    largest_l1_weight,
    last_layer_path,
    solve_last_layer,
)
from mmproto.functional.squared_distance import pairwise_squared_distance, squared_distance
from mmproto.functional.typical_points import typical_points

__all__ = [
    'EPSILON',
    'BinaryScoreLoss',
    'BlockSparseWeight',
    'Box',
    'ConnectionPenalty',
    'LastLayerSolution',
    'NearestImages',
    'NearestPatch',
    'NearestPatches',
    'ProjectionTheorem',
    'ReceptiveField',
    'ScoreLoss',
    'all_but',
    'cells_box',
    'certified_radius',
    'certify',
    'class_discriminant',
    'cluster_cost',
    'cosine_distance',
    'different_patches',
    'effective_receptive_field',
    'emptied_classes',
    'followed_interval',
    'held_out',
    'image_labels',
    'is_used',
    'keep_last_of_class',
    'l1_cost',
    'largest_l1_weight',
    'last_layer_path',
    'log_similarity',
    'merge_duplicates',
    'moved_interval',
    'nearest_distance',
    'nearest_images',
    'nearest_patch',
    'nearest_patches',
    'of_class',
    'own_class_points',
    'own_connections',
    'pairwise_cosine_distance',
    'pairwise_squared_distance',
    'projection_theorem',
    'prototype_contrast_cost',
    'separation_cost',
    'solve_last_layer',
    'sparsest_within_one_standard_error',
    'speaks_for_its_class',
    'squared_distance',
    'standard_error',
    'true_fp32',
    'typical_points',
    'unfold_patches',
    'unit_length',
]
