"""ProtoPNet for MMPretrain: ``import mmproto`` registers everything in MMPretrain's registries."""

import warnings
from importlib.util import find_spec

if find_spec('mmcv') is None:
    raise ImportError(
        "mmproto needs mmcv: type `pip install 'mmproto[lite]'` for mmcv-lite, "
        'or `mim install mmcv` for the full one, not both'
    )

# mmcv-lite, which is all that is needed, says at its import what it lacks.
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')

from mmproto import datasets, engine, evaluation, models, visualization  # noqa: E402
from mmproto.compat import allow_log_history  # noqa: E402
from mmproto.model_index import register_models  # noqa: E402

allow_log_history()
register_models()

__version__ = '0.1.0'
__all__ = ['datasets', 'engine', 'evaluation', 'models', 'visualization']
