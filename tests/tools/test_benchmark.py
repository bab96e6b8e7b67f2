"""The benchmark, run as a user runs it, on networks and images that are very small."""

import re

import pytest

from tests.command import run_command

SMALL = [
    '--backbone', 'test_resnet', '--out-index', '-2', '--sizes', '32', '64',
    '--prototypes', '40', '20', '--classes', '3', '--channels', '8',
    '--images', '8', '--batch-size', '4', '--repeats', '1',
]  # fmt: skip


def test_it_prints_ratios_of_every_comparison(tmp_path):
    code, text = run_command(
        'tools/benchmark.py', *SMALL, '--parts', 'prototypes', 'sizes', 'push',
        '--plot', tmp_path / 'ratios.png',
    )  # fmt: skip
    assert code == 0, text
    titles = re.findall(r'^(.*):\n\n\| ', text, re.MULTILINE)
    assert titles == [
        'One image, by prototypes', 'A training step, by prototypes',
        'One image, by pixels', 'A training step, by pixels', 'A push over 8 images',
    ]  # fmt: skip
    for setting in ('20', '40', '32 x 32', '64 x 64'):
        assert len(re.findall(rf'^\| {setting} \| [\d.]+ \| ', text, re.MULTILINE)) == 2
    assert re.search(r'^\| bare forward pass \| [\d.]+ \| 1\.00 \|$', text, re.MULTILINE)
    assert (tmp_path / 'ratios.png').is_file()
    assert 'USDT' not in text


@pytest.mark.slow
def test_it_times_the_end_of_a_training_and_explanations():
    code, text = run_command('tools/benchmark.py', *SMALL, '--parts', 'last_layer', 'explanations')
    assert code == 0, text
    solved, trained = map(float, re.findall(r', objective ([\d.]+) \|', text))
    assert solved < trained
    assert re.search(r'^\| explain and write \| ', text, re.MULTILINE)


@pytest.mark.slow
def test_a_share_of_the_prototypes_takes_less_memory():
    figures = []
    for processes in ('1', '2'):
        code, text = run_command(
            'tools/benchmark_head.py', '--prototypes', '20000', '--batch-size', '16',
            '--repeats', '1', '--processes', processes,
        )  # fmt: skip
        assert code == 0, text
        figures.append([float(one.replace(',', '')) for one in text.splitlines()[-1].split()])
    (*sizes, whole, _, _), (*same, share, _, _) = figures
    assert sizes == same == [20_000, 2_000, 16]
    assert share < 0.8 * whole
