from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from mmproto.datasets import FolderDataset, MultiLabelFolderDataset
from mmproto.datasets.checks import check_label_counts
from mmproto.errors import InputError


@pytest.fixture
def write(tmp_path):
    def write_list(labels):
        for i in range(len(labels)):
            Image.new('RGB', (8, 8), (i, 0, 0)).save(tmp_path / f'{i}.png')
        lines = [f'{i}.png {text}' for i, text in enumerate(labels)]
        (tmp_path / 'annotations.txt').write_text('\n'.join(lines))
        return str(tmp_path)

    return write_list


def labels_of(dataset):
    return [tuple(dataset.get_data_info(i)['gt_label']) for i in range(len(dataset))]


def test_a_head_of_one_class_refuses_them(write):
    root = write(['-', '1,0', '0', '1'] * 3)
    findings = MultiLabelFolderDataset(data_root=root, split='all')
    check_label_counts(findings, False, 'push_dataloader')
    with pytest.raises(InputError, match=r'push_dataloader.dataset .*MultiLabelProtoPNetHead'):
        check_label_counts(findings, True, 'push_dataloader')
    one_each = FolderDataset(data_root=write(['0', '1'] * 3), split='all')
    check_label_counts(one_each, True, 'push_dataloader')


def test_every_set_of_labels_is_on_both_sides(write):
    root = write(['-', '1,0', '0', '1'] * 10 + ['2,1,0'])
    sides = {
        split: MultiLabelFolderDataset(data_root=root, split=split)
        for split in ('train', 'val', 'all')
    }
    assert labels_of(sides['all'])[:3] == [(), (0, 1), (0,)]
    assert Counter(labels_of(sides['val'])) == {(): 2, (0, 1): 2, (0,): 2, (1,): 2}
    assert Counter(labels_of(sides['train'])) == {
        (): 8, (0, 1): 8, (0,): 8, (1,): 8, (0, 1, 2): 1,
    }  # fmt: skip
    assert sides['all'].metainfo['classes'] == ('0', '1', '2')


def test_patients_are_on_one_side(write):
    texts = ['-', '1,0', '0', '1', '2', '1,2', '0', '-'] * 6 + ['0,1,2', '2,0']
    root = write([f'{text}\tp{i // 3}' for i, text in enumerate(texts)])
    sides = [MultiLabelFolderDataset(data_root=root, split=split) for split in ('train', 'val')]
    patients = [
        {int(Path(side.get_data_info(i)['img_path']).stem) // 3 for i in range(len(side))}
        for side in sides
    ]
    assert patients[0].isdisjoint(patients[1])
    assert 6 <= len(sides[1]) <= 14
    with pytest.raises(InputError, match=r'dataset\.balance: '):
        MultiLabelFolderDataset(data_root=root, balance=True)


@pytest.mark.parametrize('text', ['0,', ',1', '0;1', '--', '0,-'])
def test_a_broken_line_is_named(write, text):
    with pytest.raises(InputError, match=r"annotations.txt, line 2: expected 'path label'"):
        MultiLabelFolderDataset(data_root=write(['0', text, '1']))


def test_one_class_an_image_is_asked_for(write):
    for labels in (['0', '1', '0,1'], ['0', '-', '1']):
        with pytest.raises(InputError, match='take MultiLabelFolderDataset'):
            FolderDataset(data_root=write(labels))


def test_class_folders_are_no_findings(tmp_path):
    for name in 'ab':
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match='has no annotations'):
        MultiLabelFolderDataset(data_root=str(tmp_path))
