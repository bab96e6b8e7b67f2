from functools import partial

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from mmproto.apis import push_prototypes
from mmproto.apis.checkpoint_editor import CheckpointEditor
from mmproto.apis.prune import (
    by_duplicates,
    by_neighbours,
    by_number,
    by_weight,
    prune_checkpoint,
)
from mmproto.errors import InputError
from tests.toy import loader, model_config, train_config

CLASSES = ['class 0', 'class 1', 'class 2']


# A strong pull, so that it takes few steps.
SOLVER = dict(type='SparseLastLayer', l1_weight=0.1, l2_weight=1.0)
# Of logits. With other prototypes beside it, rounding may choose another nearest patch of two whose
# distances differ by 1e-7, and beside a patch the log similarity is as steep as 1e4.
SAME = 0.01
QUICK = dict(optim_wrapper=dict(stages=dict(last_layer=dict(solver=SOLVER))))


def saved(folder, change=None, classes=CLASSES, **head):
    """The checkpoint of a model of random weights, changed."""
    torch.manual_seed(0)
    model = MODELS.build(model_config(**head))
    torch.nn.init.normal_(model.head.last_layer.weight)
    if change is not None:
        with torch.no_grad():
            change(model.head)
    meta = dict(dataset_meta=dict(classes=classes))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), folder / 'model.pth')
    return str(folder / 'model.pth')


def edit(folder, change=None, pushed=True, config=None, **head):
    """An editor of such a checkpoint."""
    checkpoint = saved(folder, change, **head)
    cfg = Config(train_config(folder, model=model_config(**head), **(config or {})))
    editor = CheckpointEditor(cfg, checkpoint)
    if pushed:
        push_prototypes(editor.model, editor.push_dataloader)
    return editor


@torch.no_grad()
def forward(editor, loader='val_dataloader'):
    """Distances (N, P) and logits (N, C) of all images of a loader, one image at a time."""
    dataset = getattr(editor, loader, None) or editor.runner.val_dataloader
    outputs = [
        editor.model.head.outputs(editor.model.extract_feat(one['inputs'][None] / 255))
        for one in dataset.dataset
    ]
    return torch.cat([one.distances for one in outputs]), torch.cat([one.logits for one in outputs])


@pytest.mark.parametrize(('k', 'threshold'), [(6, 3), (3, 2), (1, 1), (8, 4)])
def test_by_neighbours_is_a_plain_loop(tmp_path, k, threshold):
    editor = edit(tmp_path, prototypes_per_class=6)
    labels = editor.push_dataloader.dataset.labels
    distances, _ = forward(editor, 'push_dataloader')
    expected = []
    for j, label in enumerate(editor.model.head.prototype_class.tolist()):
        nearest = np.argsort(distances[:, j].numpy(), kind='stable')[:k]
        expected.append((labels[nearest] == label).sum() >= threshold)
    selection = by_neighbours(editor, k, threshold)
    assert selection.keep.tolist() == expected
    assert sum(expected) > 0
    assert k == 1 or sum(expected) < 18  # each is itself a patch of its class


def test_the_last_layer_is_solved_for_those_that_stay(tmp_path):
    editor = edit(tmp_path, config=QUICK, prototypes_per_class=4)
    vectors = editor.model.head.prototype_vectors.detach().clone()
    record = prune_checkpoint(editor, partial(by_number, prototypes=[0, 7, 7]))
    head = editor.model.head
    assert (record.prototypes, record.kept) == (12, 10)
    assert record.emptied == []
    assert record.spared == {}
    kept = [j for j in range(12) if j not in (0, 7)]
    assert torch.equal(head.prototype_vectors, vectors[kept])
    assert head.prototype_class.tolist() == [j // 4 for j in kept]
    assert bool(head.prototypes_are_patches)
    assert record.solved['residual'] <= 1e-6
    weight = head.last_layer.weight.detach().clone()
    head.last_layer.weight.data.zero_()
    editor.solve_last_layer()
    assert torch.equal(head.last_layer.weight, weight)
    assert record.after == editor.validate()


def test_the_last_layer_may_stay(tmp_path):
    editor = edit(tmp_path)
    weight = editor.model.head.last_layer.weight.detach().clone()
    record = prune_checkpoint(editor, partial(by_number, prototypes=[1]), solve=False)
    assert record.solved is None
    assert torch.equal(editor.model.head.last_layer.weight, weight[:, [0, 2, 3, 4, 5]])


def unused(head):
    head.last_layer.weight[:, [1, 4, 6]] = 0
    head.last_layer.weight[1:, 5] = 0


def test_those_that_no_class_counts_change_no_logit(tmp_path):
    editor = edit(tmp_path, unused, prototypes_per_class=4)
    _, before = forward(editor)
    record = prune_checkpoint(editor, by_weight)
    assert (record.kept, record.solved) == (9, None)
    torch.testing.assert_close(forward(editor)[1], before, rtol=0, atol=SAME)


def test_doubles_change_no_logit(tmp_path):
    editor = edit(tmp_path, prototypes_per_class=8)  # pushed onto so few patches that some share
    head = editor.model.head
    patches = {
        (label, image, *location)
        for label, image, location in zip(
            head.prototype_class.tolist(),
            head.prototype_image.tolist(),
            head.prototype_location.tolist(),
        )
    }
    _, before = forward(editor)
    record = prune_checkpoint(editor, by_duplicates)
    assert record.kept == len(patches) < 24
    assert record.solved is None
    torch.testing.assert_close(forward(editor)[1], before, rtol=0, atol=SAME)


def test_a_class_keeps_its_best_prototype_and_is_named(tmp_path):
    def heaviest(head):
        head.last_layer.weight[1, 2:4] = torch.tensor([1.0, 2.0])

    rule = partial(by_number, prototypes=[0, 2, 3])
    editor = edit(tmp_path, heaviest)
    record = prune_checkpoint(editor, rule, solve=False)
    assert record.spared == {1: 3}
    assert record.emptied == []
    assert editor.model.head.prototype_class.tolist() == [0, 1, 2, 2]
    lines = list(record.lines(editor.class_names))
    assert lines[0] == '4 of 6 prototypes stay'
    assert 'class class 1 would have lost all' in lines[1]
    assert 'number 3 before' in lines[1]

    editor = edit(tmp_path, heaviest)
    record = prune_checkpoint(editor, rule, allow_empty=True, solve=False)
    assert record.spared == {}
    assert record.emptied == [1]
    assert editor.model.head.prototype_class.tolist() == [0, 2, 2]
    assert 'class class 1 has no prototype any more' in list(record.lines(editor.class_names))


def test_by_neighbours_the_best_has_most_of_its_class(tmp_path):
    editor = edit(tmp_path, prototypes_per_class=6)
    labels = torch.from_numpy(editor.push_dataloader.dataset.labels)
    selection = by_neighbours(editor, 12, 12)  # there are four images of each class
    assert not selection.keep.any()
    assert selection.merit.tolist() == [int((labels == j // 6).sum()) for j in range(18)]
    selection = by_neighbours(editor, 4, 4)
    record = prune_checkpoint(editor, partial(by_neighbours, k=4, threshold=4), solve=False)
    for label, best in record.spared.items():
        of_class = selection.merit[6 * label : 6 * label + 6]
        assert best == 6 * label + int(of_class.argmax())
    assert len(record.spared) > 0


def test_a_checkpoint_that_was_never_pushed_can_be_pruned(tmp_path):
    editor = edit(tmp_path, pushed=False)
    record = prune_checkpoint(editor, partial(by_neighbours, k=2, threshold=1), solve=False)
    assert 3 <= record.kept <= 6
    assert not bool(editor.model.head.prototypes_are_patches)


def refused(message, editor, rule, **options):
    with pytest.raises(InputError, match=message):
        prune_checkpoint(editor, rule, **options)


def test_wrong_settings_are_refused(tmp_path):
    editor = edit(tmp_path)
    refused(r'no prototypes \[6\]: .* 0 to 5', editor, partial(by_number, prototypes=[6]))
    refused(
        'threshold=4: give a number from 1 to k=3',
        editor,
        partial(by_neighbours, k=3, threshold=4),
    )
    refused('k=13: .* than 12 images', editor, partial(by_neighbours, k=13))
    every = partial(by_number, prototypes=range(6))
    refused('not one prototype would be left', editor, every, allow_empty=True)
    assert len(editor.model.head.prototype_class) == 6
    assert prune_checkpoint(editor, every, solve=False).kept == 3


def test_prototypes_without_a_class_have_no_neighbours_of_it(tmp_path):
    head = dict(prototypes_per_class=None, num_prototypes=5)
    refused('without a class', edit(tmp_path, **head), by_neighbours)
    editor = edit(tmp_path, unused_agnostic, **head)
    assert prune_checkpoint(editor, by_weight).kept == 4


def unused_agnostic(head):
    head.last_layer.weight[:, 2] = 0


@pytest.mark.parametrize('setting', ['push_dataloader', 'val_dataloader'])
def test_data_with_other_classes_are_refused(tmp_path, setting):
    other = loader(num_classes=4, count=12)
    editor = edit(tmp_path, pushed=False, config={setting: other})
    with pytest.raises(InputError, match=rf'{setting}\.dataset has (4|the label 3)'):
        prune_checkpoint(editor, by_neighbours)
    checkpoint = saved(tmp_path, classes=['class 0', 'class 1', 'a wren'])
    editor = CheckpointEditor(Config(train_config(tmp_path)), checkpoint)
    with pytest.raises(InputError, match="class 2 is 'a wren' for the checkpoint and 'class 2'"):
        prune_checkpoint(editor, by_neighbours)
