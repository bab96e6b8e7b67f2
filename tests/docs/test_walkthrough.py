"""The notebook, run as it stands on a small demo."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from mmproto.datasets.birds import make_birds

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    make_birds(tmp_path / 'birds', train=2, test=1, size=64)
    monkeypatch.delenv('DATA_ROOT', raising=False)
    subprocess.run(
        [
            sys.executable, 'tools/train.py', 'configs/protopnet/resnet10t_birds.py',
            '--work-dir', tmp_path / 'protopnet',
            '--cfg-options', f'data_root={tmp_path / "birds"}', 'optim_wrapper.schedule.epochs=1',
            'optim_wrapper.schedule.warm_epochs=0', 'optim_wrapper.schedule.push_epochs=[0]',
            'train_dataloader.batch_size=6',
        ],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    monkeypatch.setenv('DEMO', str(tmp_path))
    notebook = nbformat.read(ROOT / 'docs' / 'walkthrough.ipynb', as_version=4)
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name='python3',
        resources=dict(metadata=dict(path=ROOT / 'docs')),
    ).execute()
    images = [
        output
        for cell in notebook.cells
        for output in cell.get('outputs', [])
        if 'image/png' in output.get('data', {})
    ]
    assert len(images) == 4
    texts = ''.join(
        output.get('text', '') for cell in notebook.cells for output in cell.get('outputs', [])
    )
    assert 'prototypes are training patches: True' in texts
    assert 'trained for 2 epochs; pushed: True' in texts
