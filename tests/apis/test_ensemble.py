"""Ensembles of small random networks against a plain loop, and the command line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain import get_model
from mmpretrain.registry import DATASETS

from mmproto.apis.ensemble import accuracies, load_member, predict_ensemble
from mmproto.datasets.birds import make_birds
from mmproto.errors import InputError
from tests.tools.test_command_lines import run  # noqa: F401

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def birds(tmp_path_factory):
    return make_birds(
        tmp_path_factory.mktemp('data') / 'birds', classes=8, train=1, test=2, size=64
    )


def config(birds, kind='protopnet', size=32, crop=True, num_classes=8, **dataset):
    """The config of a small network on the birds."""
    path = ROOT / 'configs' / kind / 'resnet10t_birds.py'
    cfg = Config.fromfile(path)
    cfg.model.head.num_classes = num_classes
    pipeline = [step for step in cfg.test_pipeline if crop or step.type != 'CropToBox']
    pipeline[-2].scale = (size, size)
    cfg.test_dataloader.update(batch_size=5, num_workers=0)
    cfg.test_dataloader.dataset.update(data_root=str(birds), pipeline=pipeline, **dataset)
    return cfg


def checkpoint(path, cfg, seed=0, classes=None):
    """A checkpoint of the config's network with random weights."""
    torch.manual_seed(seed)
    meta = dict(dataset_meta=dict(classes=classes)) if classes else {}
    torch.save(dict(state_dict=get_model(cfg).state_dict(), meta=meta), path)
    return str(path)


@torch.no_grad()
def plain_logits(cfg, path):
    """The logits of one image after the other, (N, num_classes)."""
    model = get_model(cfg, path)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    rows = []
    for item in dataset:
        batch = dict(inputs=[item['inputs']], data_samples=[item['data_samples']])
        rows.append(model(model.data_preprocessor(batch)['inputs'])[0])
    return torch.stack(rows)


def message(function, *args):
    """The one line of the error that a call ends in."""
    with pytest.raises(InputError) as error:
        function(*args)
    assert '\n' not in str(error.value)
    return str(error.value)


def test_the_sum_is_that_of_a_plain_loop_whatever_the_input_sizes_and_crops(birds, tmp_path):
    cfgs = [
        config(birds),
        config(birds, size=48, crop=False),
        config(birds, kind='baseline', size=40),
    ]
    paths = [checkpoint(tmp_path / f'{i}.pth', cfg, seed=i) for i, cfg in enumerate(cfgs)]
    prediction = predict_ensemble([load_member(*pair) for pair in zip(cfgs, paths)], 'cpu')
    expected = [plain_logits(*pair) for pair in zip(cfgs, paths)]
    assert prediction.logits.shape == (3, 16, 8)
    for logits, plain in zip(prediction.logits, expected):
        torch.testing.assert_close(logits, plain, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(prediction.summed(), sum(expected), rtol=1e-4, atol=3e-4)
    labels = DATASETS.build(cfgs[0].test_dataloader.dataset).get_gt_labels().tolist()
    assert prediction.labels.tolist() == labels
    hits = sum(expected).argmax(dim=1) == torch.tensor(labels)
    assert prediction.accuracies()['top1'] == pytest.approx(100 * hits.float().mean().item())
    assert len(prediction.member_accuracies()) == 3


def test_accuracies():
    logits = torch.tensor([[-3.0, -1.0, -2.0], [-1.0, -2.0, -3.0]])
    assert accuracies(logits, torch.tensor([1, 2])) == {'top1': 50}
    values = accuracies(torch.arange(12.0).reshape(2, 6), torch.tensor([0, 1]))
    assert values == {'top1': 0, 'top5': 50}


def test_members_of_different_classes_are_refused(birds, tmp_path):
    cfg = config(birds)
    path = checkpoint(tmp_path / 'a.pth', cfg)
    member = load_member(cfg, path)
    names = list(member.classes)
    other = checkpoint(tmp_path / 'b.pth', cfg, classes=[*names[:2], 'Dodo', *names[3:]])
    text = message(predict_ensemble, [member, load_member(cfg, other)])
    assert f"class 2 is '{names[2]}'" in text
    assert "'Dodo'" in text

    larger = config(birds, num_classes=12)
    path = checkpoint(tmp_path / 'c.pth', larger)
    text = message(predict_ensemble, [member, load_member(larger, path)])
    assert 'has 8 classes and resnet10t_birds.py has 12' in text


def test_members_of_different_test_sets_are_refused(birds, tmp_path):
    cfg = config(birds)
    path = checkpoint(tmp_path / 'a.pth', cfg)
    member = load_member(cfg, path)
    text = message(predict_ensemble, [member, load_member(config(birds, split='train'), path)])
    assert 'tests on 16 images and resnet10t_birds.py on 8' in text
    shuffled = load_member(cfg, path)
    shuffled.dataloader.dataset.get_subset_([1, 0, *range(2, 16)])
    assert 'test image 0 is images/' in message(predict_ensemble, [member, shuffled])


def test_the_same_images_in_another_folder_are_the_same(birds, tmp_path):
    (tmp_path / 'link').symlink_to(birds)
    cfgs = [config(birds), config(tmp_path / 'link')]
    path = checkpoint(tmp_path / 'a.pth', cfgs[0])
    one, other = predict_ensemble([load_member(cfg, path) for cfg in cfgs], 'cpu').logits
    assert torch.equal(one, other)


def test_a_checkpoint_of_another_network_is_refused(birds, tmp_path):
    path = checkpoint(tmp_path / 'a.pth', config(birds, kind='baseline'))
    assert 'a.pth is not of the network in resnet10t_birds.py' in message(
        load_member, config(birds), path
    )


def test_a_config_without_test_set_is_refused(birds):
    cfg = config(birds)
    cfg.test_dataloader = None
    assert 'no test_dataloader' in message(load_member, cfg, 'a.pth')


def test_pretrained_weights_are_not_fetched_for_a_network_with_a_checkpoint(birds, tmp_path):
    cfg = config(birds)
    path = checkpoint(tmp_path / 'a.pth', cfg)
    cfg.model.backbone.pretrained = True
    load_member(cfg, path)
    assert cfg.model.backbone.pretrained


def test_unnamed_classes_are_told_by_their_number(birds, tmp_path):
    cfg = config(birds)
    member = load_member(cfg, checkpoint(tmp_path / 'a.pth', cfg))
    assert predict_ensemble([member, replace(member, classes=None)], 'cpu') is not None


@pytest.mark.slow
def test_command_line(run, birds, tmp_path):  # noqa: F811
    names = ['configs/protopnet/resnet10t_birds.py', 'configs/baseline/resnet10t_birds.py']
    cfgs = [config(birds, kind=Path(name).parent.name) for name in names]
    paths = [checkpoint(tmp_path / f'{i}.pth', cfg, seed=i) for i, cfg in enumerate(cfgs)]
    options = [
        *(part for pair in zip(names, paths) for part in pair),
        '--cfg-options', 'model.head.num_classes=8', 'test_dataloader.num_workers=0',
    ]  # fmt: skip
    outs = tmp_path / 'one.json', tmp_path / 'two.json'
    code, text = run('tools/test_ensemble.py', *options, '--out', outs[0])
    assert code == 0, text
    assert text.splitlines()[-1].startswith('sum ')
    found = json.loads(outs[0].read_text())
    assert [member['name'] for member in found['members']] == [
        f'{name} {path}' for name, path in zip(names, paths)
    ]
    assert set(found['sum']) == {'top1', 'top5'}

    code, text = run(
        'tools/test_ensemble.py', *options, '--launcher', 'pytorch', '--out', outs[1],
        launcher=['torchrun', '--nproc_per_node=2', '--master_port=29667'],
    )  # fmt: skip
    assert code == 0, text
    assert json.loads(outs[1].read_text()) == found

    code, text = run('tools/test_ensemble.py', *names, names[0])
    assert code == 1
    assert text.splitlines()[-1].startswith(f'error: {names[0]} has no checkpoint')
