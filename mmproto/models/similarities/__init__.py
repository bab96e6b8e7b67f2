from mmproto.models.similarities.build import build_similarity
from mmproto.models.similarities.cosine_similarity import CosineSimilarity
from mmproto.models.similarities.euclidean_similarity import EuclideanSimilarity
from mmproto.models.similarities.linear_similarity import LinearSimilarity
from mmproto.models.similarities.log_similarity import LogSimilarity
from mmproto.models.similarities.similarity import FollowedPatches, Metric, Similarity

__all__ = [
    'CosineSimilarity',
    'EuclideanSimilarity',
    'FollowedPatches',
    'LinearSimilarity',
    'LogSimilarity',
    'Metric',
    'Similarity',
    'build_similarity',
]
