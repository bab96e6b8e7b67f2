"""Every tool that takes a checkpoint, given files that are none: run as they are, in here."""

import json
import runpy
import sys
import warnings
from pathlib import Path

import pytest
import torch
from mmengine.logging import MessageHub, MMLogger
from mmpretrain.registry import MODELS

from mmproto.models.heads.fingerprint import fingerprint
from tests.odd_checkpoints import odd_files, odd_tensors, with_entry
from tests.pushed_birds import (  # noqa: F401
    CONFIG,
    birds_fixture,
    checkpoint_fixture,
    config_fixture,
)

ROOT = Path(__file__).parents[2]
OUT = ['--out', 'OUT']
TOOLS = {
    'explain': ['IMAGE', *OUT], 'report': OUT, 'test': [], 'push': [*OUT],
    'edit': ['EDITS', *OUT], 'prune': OUT, 'export_onnx': OUT, 'certify': ['GOOD'],
    'fit_last_layer': OUT, 'evaluate_explanations': OUT, 'train': [],
}  # fmt: skip


@pytest.fixture
def outcome(birds, config, checkpoint, tmp_path, monkeypatch):
    """Runs a tool on a checkpoint; what it ends with: a line, or 'done'."""
    model = MODELS.build(config.model)
    edits = dict(model=fingerprint(model.head), checkpoint='x', remove=[1])
    (tmp_path / 'edits.json').write_text(json.dumps(edits))
    values = dict(
        IMAGE=next((birds / 'images').rglob('*.jpg')), OUT=tmp_path / 'out.pth',
        EDITS=tmp_path / 'edits.json', GOOD=checkpoint,
    )  # fmt: skip
    options = ['--work-dir', tmp_path / 'work', '--cfg-options', f'data_root={birds}']
    for loader in ('train', 'val', 'test', 'push'):
        options.append(f'{loader}_dataloader.num_workers=0')
        if loader != 'push':
            options.append(f'{loader}_dataloader.persistent_workers=False')

    def run(tool, odd):
        MMLogger._instance_dict.clear()  # as in a process of its own
        MessageHub._instance_dict.clear()
        given = ['--resume', odd] if tool == 'train' else [odd]
        others = [values.get(argument, argument) for argument in TOOLS[tool]]
        command = [f'tools/{tool}.py', CONFIG, *given, *others, *options]
        monkeypatch.setattr(sys, 'argv', [*map(str, command)])
        try:
            runpy.run_path(str(ROOT / command[0]), run_name='__main__')
        except SystemExit as end:
            return str(end.code)
        return 'done'

    return run


@pytest.mark.parametrize('tool', TOOLS)
def test_a_checkpoint_with_code_ends_in_one_line(tool, outcome, checkpoint, tmp_path):
    saved = torch.load(checkpoint)
    (tmp_path / 'odd.pth').write_bytes(odd_files(saved, tmp_path / 'ran')['code'])
    line = outcome(tool, tmp_path / 'odd.pth')
    assert line.startswith(f'error: {tmp_path}/odd.pth cannot be read as a checkpoint')
    assert '\n' not in line
    assert not (tmp_path / 'ran').exists()


def odd_heads(saved):
    for name in [name for name in saved['state_dict'] if name.startswith('head.')]:
        for what, value in odd_tensors(saved['state_dict'][name]).items():
            yield f'{name} {what}', with_entry(saved, ('state_dict', name), value)


@pytest.mark.slow
@pytest.mark.parametrize('tool', [tool for tool in TOOLS if tool != 'train'])
def test_an_odd_checkpoint_works_or_ends_in_one_line(tool, outcome, checkpoint, tmp_path):
    saved = torch.load(checkpoint)
    files = odd_files(saved, tmp_path / 'ran')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for name, odd in [*files.items(), *odd_heads(saved)]:
            if isinstance(odd, bytes):
                (tmp_path / 'odd.pth').write_bytes(odd)
            else:
                try:
                    torch.save(odd, tmp_path / 'odd.pth')
                except (RuntimeError, NotImplementedError):  # torch itself saves no such thing
                    continue
            line = outcome(tool, tmp_path / 'odd.pth')
            assert line == 'done' or (line.startswith('error: ') and '\n' not in line), name
    assert not (tmp_path / 'ran').exists()
