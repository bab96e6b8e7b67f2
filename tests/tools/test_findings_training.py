"""From images with any number of findings to a tested model, as docs/findings.md says."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from mmproto.datasets import MultiLabelFolderDataset
from tests.command import SMALL, run_command

CONFIG = 'configs/protopnet/resnet34_findings_folder.py'
COMMON = [
    '--cfg-options',
    *SMALL,
    'model.neck.out_channels=32',
    'model.head.in_channels=32',
    'model.head.prototypes_per_class=2',
]
SETS = ((), (0,), (1,), (0, 1))


def draw(rng, labels):
    """Grey noise with a bright square for the first finding and dark stripes for the second."""
    image = rng.normal(120, 15, (64, 64))
    for label in labels:
        top, left = rng.integers(2, 22), 34 * label + rng.integers(2, 12)
        if label == 0:
            image[top + 20 : top + 36, left : left + 16] = 245
        else:
            image[top : top + 16 : 4, left : left + 16] = 0
            image[top + 1 : top + 16 : 4, left : left + 16] = 0
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope='module')
def findings(tmp_path_factory):
    root = tmp_path_factory.mktemp('findings')
    rng, lines = np.random.default_rng(0), []
    for i in range(48):
        labels = SETS[i % 4]
        draw(rng, labels).save(root / f'{i}.png')
        lines.append(f'{i}.png {",".join(map(str, labels)) or "-"}')
    (root / 'annotations.txt').write_text('\n'.join(lines))
    (root / 'classes.txt').write_text('square\nstripes\n')
    return root


@pytest.fixture(scope='module')
def trained(findings, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('trained')
    code, text = run(
        'tools/train.py', CONFIG, '--work-dir', work_dir, *COMMON, f'data_root={findings}',
        'optim_wrapper.schedule.warm_epochs=0', 'optim_wrapper.schedule.epochs=8',
        'optim_wrapper.schedule.push_epochs=[7]',
        'optim_wrapper.stages.joint.backbone.lr=0.001',
    )  # fmt: skip
    assert code == 0, text
    assert 'Push: multi-label/mAP was' in text
    return work_dir, text


def run(*command, **env):
    return run_command(*command, **{'SCALE': '64x64', **env})


@pytest.mark.slow
def test_findings_are_learnt_pushed_per_label_solved_and_tested(findings, trained, tmp_path):
    work_dir, _ = trained
    state = torch.load(work_dir / 'epoch_8.pth')['state_dict']
    assert bool(state['head.prototypes_are_patches'])
    assert bool(state['head.has_bias'])
    push_set = MultiLabelFolderDataset(data_root=str(findings), split='train')
    places = zip(state['head.prototype_class'].tolist(), state['head.prototype_image'].tolist())
    for label, image in places:
        assert label in push_set.get_data_info(image)['gt_label']

    out = tmp_path / 'metrics.json'
    config = work_dir / 'resnet34_findings_folder.py'
    code, text = run(
        'tools/test.py', config, work_dir / 'epoch_8.pth', '--work-dir', tmp_path, '--out', out
    )
    assert code == 0, text
    metrics = json.loads(out.read_text())
    assert metrics['multi-label/mAP'] >= 95
    assert metrics['multi-label/f1-score'] >= 80


@pytest.mark.slow
def test_an_explanation_adds_up_from_where_every_image_begins(findings, trained, tmp_path):
    work_dir, _ = trained
    config = work_dir / 'resnet34_findings_folder.py'
    code, text = run(
        'tools/explain.py', config, work_dir / 'epoch_8.pth', findings / '3.png',
        findings / '0.png', '--out', tmp_path,
    )  # fmt: skip
    assert code == 0, text
    both, none = (json.loads((tmp_path / f'{i}.json').read_text()) for i in (3, 0))
    assert min(both['probabilities']) > 0.5 > max(none['probabilities'])
    for one in (both, none):
        for explained in (one['target'], one['rival']):
            points = sum(match['points'] for match in explained['matches'])
            points += explained['points_at_the_start'] + explained['points_of_the_rest']
            assert abs(points - explained['logit']) < 1e-3
    assert {one['name'] for one in both['predicted_classes']} == {'square', 'stripes'}
    assert none['predicted_class'] is None
    assert '0: none of the classes, not even ' in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ('command', 'message'),
    [
        (['tools/report.py', '{config}', '{checkpoint}', '--out', '{out}'], 'a report is for'),
        (
            ['tools/fit_last_layer.py', '{config}', '{checkpoint}', '--out', '{out}', '--path'],
            'a path of last layers is for',
        ),
        (
            ['tools/certify.py', '{config}', '{checkpoint}', '{checkpoint}'],
            'a certificate is for',
        ),
        (
            ['tools/prune.py', '{config}', '{checkpoint}', '--out', '{out}'],
            'any number of labels each',
        ),
    ],
)
def test_what_is_for_one_class_says_so(trained, tmp_path, command, message):
    work_dir, _ = trained
    places = dict(
        config=work_dir / 'resnet34_findings_folder.py',
        checkpoint=work_dir / 'epoch_8.pth',
        out=tmp_path / 'out',
    )
    code, text = run(*(part.format(**places) for part in command))
    assert code != 0
    assert message in text.splitlines()[-1]
    assert 'Traceback' not in text


@pytest.mark.slow
def test_a_list_of_findings_is_no_list_of_classes(findings):
    code, text = run(
        'tools/train.py', 'configs/protopnet/resnet34_folder.py', *COMMON, f'data_root={findings}'
    )
    assert code != 0
    assert 'take MultiLabelFolderDataset' in text.splitlines()[-1]
    assert 'Traceback' not in text
