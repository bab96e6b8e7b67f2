import argparse
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, DictAction
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from mmproto.errors import InputError
from mmproto.functional import cluster_cost, l1_cost, separation_cost
from mmproto.models.losses import ClusterCost, LossTerm, ProtoPNetLoss
from tests.models.losses.outputs import random_outputs
from tests.toy import model_config

MODEL = Path(__file__).parents[3] / 'configs' / '_base_' / 'models' / 'protopnet_timm.py'
LABELS = torch.tensor([0, 1, 2, 0])


def test_the_papers_terms_are_the_default():
    outputs = random_outputs()
    losses = ProtoPNetLoss()(outputs, LABELS)
    own = (outputs.distances, LABELS, outputs.prototype_class)
    expected = dict(
        loss_cls=nn.functional.cross_entropy(outputs.logits, LABELS),
        loss_cluster=0.8 * cluster_cost(*own),
        loss_separation=0.08 * separation_cost(*own),
        loss_l1=1e-4 * l1_cost(outputs.last_layer_weight, outputs.prototype_class),
    )
    torch.testing.assert_close(losses, expected)
    assert losses['loss_separation'] < 0


def test_none_leaves_a_term_out_and_others_are_added_by_name():
    loss = ProtoPNetLoss(separation=None, contrast=dict(type='PrototypeContrastCost', weight=0.5))
    losses = loss(random_outputs(), LABELS)
    assert list(losses) == ['loss_cls', 'loss_cluster', 'loss_l1', 'loss_contrast']
    halved = ProtoPNetLoss(contrast=dict(type='PrototypeContrastCost', weight=0.25))
    torch.testing.assert_close(
        losses['loss_contrast'], 2 * halved(random_outputs(), LABELS)['loss_contrast']
    )


def test_what_a_paper_term_leaves_out_is_the_papers():
    loss = ProtoPNetLoss(l1=dict(type='L1Cost'), separation={}, cls=dict(type='ClusterCost'))
    assert [loss.terms[name].weight for name in ('l1', 'separation')] == [1e-4, 0.08]
    assert loss.terms['cls'].weight == 1  # another term under the name: its own default


def test_a_built_term_is_taken():
    loss = ProtoPNetLoss(cluster=dict(weight=0.5), pull=ClusterCost(weight=0.25))
    losses = loss(random_outputs(), LABELS)
    torch.testing.assert_close(losses['loss_cluster'], 2 * losses['loss_pull'])


def test_a_terms_own_parameters_get_a_gradient_and_are_saved():
    class LearntTerm(LossTerm):
        def __init__(self, weight=1.0):
            super().__init__(weight)
            self.factor = nn.Parameter(torch.tensor(3.0))

        def forward(self, outputs, labels):
            return self.factor * outputs.scores.mean()

    loss = ProtoPNetLoss(mine=LearntTerm())
    assert set(loss.state_dict()) == {'terms.mine.factor'}
    loss(random_outputs(), LABELS)['loss_mine'].backward()
    assert loss.terms['mine'].factor.grad > 0


def with_options(*options):
    """The shipped model's config under ``--cfg-options``."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    config = Config.fromfile(MODEL)
    config.merge_from_dict(parser.parse_args(['--cfg-options', *options]).cfg_options)
    return config.model.head


def test_terms_are_set_on_the_command_line():
    head = with_options(
        'model.head.loss.cluster.weight=0.5',
        'model.head.loss.cls.label_smoothing=0.1',
        'model.head.loss.l1=None',
        'model.head.loss.contrast.type=PrototypeContrastCost',
        'model.head.loss.contrast.weight=0.1',
    )
    terms = MODELS.build(head).loss_module.terms
    assert {name: (type(term).__name__, term.weight) for name, term in terms.items()} == dict(
        cls=('CrossEntropyCost', 1.0),
        cluster=('ClusterCost', 0.5),
        separation=('SeparationCost', 0.08),
        contrast=('PrototypeContrastCost', 0.1),
    )
    assert terms['cls'].label_smoothing == 0.1


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('type=CrossEntropyLoss', r"type='CrossEntropyLoss' is not a registered ProtoPNet"),
        ('type=Nothing', r"type='Nothing' is not a registered ProtoPNetLoss"),
        (
            'cluster.type=CrossEntropyLoss',
            r"cluster\.type='CrossEntropyLoss' .* LossTerm: the cross",
        ),
        ('cluster.type=Nothing', r"cluster\.type='Nothing' is not a registered LossTerm"),
        ('mine.weight=0.1', r'mine\.type=None is not a registered LossTerm'),
        ('mine=0.1', r"mine\.type='float' is not a registered LossTerm"),
        ('cluster.wieght=1', r"cluster\.type='ClusterCost': got an unexpected .*'wieght'"),
        ('separation.weight=-0.08', r'separation\.weight=-0\.08: .* not negative'),
        ('separation.weight=a', r"separation\.weight='a': give a number"),
        ('type=LabelSmoothLoss', r'type=.* ProtoPNetLoss: .* model.head.loss.cls.label_smoothing='),
        (
            'cls.type=LabelSmoothLoss',
            r'cls.type=.* LossTerm: .*model.head.loss.cls.label_smoothing',
        ),
        ('label_smoothing=0.1', r'label_smoothing=0.1 belongs .*: set cls.label_smoothing=0.1'),
        ('cls.smooth=0.1', r"cls.type=.* 'smooth'; it takes weight, label_smoothing"),
        ('cls.label_smoothing=2', r'cls\.label_smoothing=2: give a fraction'),
        (
            'separation_weight=-0.16',
            r'separation_weight=-0\.16 is now '
            r"separation=dict\(type='SeparationCost', weight=0\.16\)",
        ),
        (
            'cross_entropy_weight=1',
            r"cross_entropy_weight=1 is now cls=dict\(type='CrossEntropyCost', weight=1\)",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(option, message):
    head = with_options(f'model.head.loss.{option}')
    with pytest.raises(InputError, match=rf'^model\.head\.loss\.{message}') as error:
        MODELS.build(head)
    assert '\n' not in str(error.value)


def test_foreign_losses_are_refused_as_a_leaf_config_would_give_them():
    for loss in (dict(type='CrossEntropyLoss'), nn.CrossEntropyLoss(), ClusterCost()):
        with pytest.raises(InputError, match=r'^model\.head\.loss\.type=.* ProtoPNetLoss'):
            MODELS.build(model_config(loss=loss)['head'])


def test_a_loss_without_terms_is_refused():
    with pytest.raises(InputError, match='leaves no term'):
        ProtoPNetLoss(cls=None, cluster=None, separation=None, l1=None)


def test_a_step_with_a_further_term_moves_the_prototypes_otherwise():
    def prototypes_after_a_step(**terms):
        torch.manual_seed(0)
        model = MODELS.build(model_config(loss=dict(type='ProtoPNetLoss', **terms)))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        samples = [DataSample().set_gt_label(label) for label in LABELS]
        total, _ = model.parse_losses(model.loss(torch.rand(4, 3, 16, 16), samples))
        total.backward()
        optimizer.step()
        return model.head.prototype_vectors.detach()

    plain, other = (
        prototypes_after_a_step(),
        prototypes_after_a_step(more=dict(type='PrototypeContrastCost')),
    )
    assert not torch.allclose(plain, other)
    assert bool(other.isfinite().all())
