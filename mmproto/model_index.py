"""Makes our configs known by name to MMPretrain.

.. code:: python

    import mmpretrain, mmproto

    mmpretrain.list_models('*protopnet*')
    model = mmpretrain.get_model('protopnet_vgg19_cub', backbone=dict(pretrained=False))
    model = mmpretrain.get_model('protopnet_vgg19_cub', pretrained='epoch_91.pth')

``pretrained`` is a checkpoint of the whole model; there is none to download. The configs ask timm
for a pretrained backbone at every build, whatever ``pretrained`` says: where there is no network,
or a checkpoint brings the weights anyway, add ``backbone=dict(pretrained=False)``.
"""

from functools import cache
from pathlib import Path

from mmpretrain.apis import ModelHub

PACKAGE = Path(__file__).parent


def index_root() -> Path | None:
    """Return the folder with ``model-index.yml``, None for a bare copy of the package.

    A wheel has it in ``.mim``, as OpenMMLab's packages do, and a repository at its top.
    """
    roots = (PACKAGE / '.mim', PACKAGE.parent)
    return next((root for root in roots if (root / 'model-index.yml').is_file()), None)


@cache  # a name may be registered once
def register_models() -> None:
    """Register every config of ``model-index.yml`` in MMPretrain's hub."""
    root = index_root()
    if root is not None:
        ModelHub.register_model_index(root / 'model-index.yml', config_prefix=root)
