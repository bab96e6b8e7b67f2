import math
from collections.abc import Mapping
from typing import Any

from mmpretrain.registry import MODELS
from torch import Tensor, nn

from mmproto.errors import InputError
from mmproto.models.build import build_subclass
from mmproto.models.losses.loss_term import LossTerm
from mmproto.models.outputs import HeadOutputs

PAPER_TERMS = dict(
    cls=dict(type='CrossEntropyCost', weight=1.0),
    cluster=dict(type='ClusterCost', weight=0.8),
    separation=dict(type='SeparationCost', weight=0.08),
    l1=dict(type='L1Cost', weight=1e-4),
)
# Arguments of version 0.1, each a term's weight now.
FORMER_WEIGHTS = dict(
    cross_entropy_weight='cls',
    cluster_weight='cluster',
    separation_weight='separation',
    l1_weight='l1',
)
# Arguments of MMPretrain's losses, and of torch's.
OF_CLS = ('label_smoothing', 'label_smooth_val')


@MODELS.register_module()
class ProtoPNetLoss(nn.Module):
    """A weighted sum of terms, by default the four of the paper (section 2.2).

    Any further term is added by a name of its own; None leaves one out.

    .. code:: python

        loss=dict(type='ProtoPNetLoss',
                  cls=dict(type='CrossEntropyCost', weight=1.0, label_smoothing=0.1),
                  cluster=dict(type='ClusterCost', weight=0.8),
                  separation=dict(type='SeparationCost', weight=0.08),
                  l1=None,
                  contrast=dict(type='PrototypeContrastCost', weight=0.1))

    Args:
        **terms: Config of a :class:`LossTerm`, one built, or None. What ``cls``, ``cluster``,
            ``separation`` and ``l1`` leave out of ``type`` and ``weight`` is the paper's.

    Raises:
        InputError: If a term is no :class:`LossTerm`, its weight is negative, or none is left.
    """

    def __init__(self, **terms: Mapping | LossTerm | None) -> None:
        super().__init__()
        self.terms = nn.ModuleDict(
            {
                name: _build_term(name, term)
                for name, term in {**PAPER_TERMS, **terms}.items()
                if term is not None
            }
        )
        if not self.terms:
            raise InputError('cls=None leaves no term to train by: keep one')

    def forward(self, outputs: HeadOutputs, labels: Tensor) -> dict[str, Tensor]:
        """Compute the weighted terms.

        Args:
            outputs: What the head has computed of N images.
            labels: Class of each image (N,), or which classes each has, bool (N, C).

        Returns:
            ``loss_{name}`` of each term, such as ``loss_cluster``: their sum is the total.
        """
        return {
            f'loss_{name}': term.weight * term(outputs, labels) for name, term in self.terms.items()
        }


def _build_term(name: str, term: Any) -> LossTerm:
    if name in FORMER_WEIGHTS:
        now = FORMER_WEIGHTS[name]
        raise InputError(
            f"{name}={term} is now {now}=dict(type='{PAPER_TERMS[now]['type']}', "
            f'weight={abs(term)}): each term has its weight, none is negative'
        )
    if name in OF_CLS:
        raise InputError(f'{name}={term} belongs to the term cls: set cls.label_smoothing={term}')
    paper = PAPER_TERMS.get(name, {})
    if isinstance(term, Mapping) and term.get('type', paper.get('type')) == paper.get('type'):
        term = {**paper, **term}
    try:
        built = build_subclass(term, LossTerm)
    except InputError as error:
        raise InputError(f'{name}.{error}') from None
    if not (isinstance(built.weight, int | float) and 0 <= built.weight < math.inf):
        raise InputError(
            f'{name}.weight={built.weight!r}: give a number that is not negative; the term itself '
            'has the sign'
        )
    return built


def build_loss(loss: Mapping | nn.Module | None) -> ProtoPNetLoss:
    """Build ``model.head.loss``; None is the paper's.

    Raises:
        InputError: If it is no :class:`ProtoPNetLoss`, or one of its terms cannot be.
    """
    try:
        return build_subclass(loss or dict(type='ProtoPNetLoss'), ProtoPNetLoss)
    except InputError as error:
        raise InputError(f'model.head.loss.{error}') from None
