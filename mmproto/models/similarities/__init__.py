from mmproto.models.similarities.build import build_similarity
from mmproto.models.similarities.cosine_similarity import CosineSimilarity
from mmproto.models.similarities.euclidean_similarity import EuclideanSimilarity
from mmproto.models.similarities.linear_similarity import LinearSimilarity
from mmproto.models.similarities.log_similarity import LogSimilarity
from mmproto.models.similarities.similarity import Similarity

__all__ = [
    'CosineSimilarity',
    'EuclideanSimilarity',
    'LinearSimilarity',
    'LogSimilarity',
    'Similarity',
    'build_similarity',
]
