"""What ``import mmproto`` needs and loads, and what the package says that it needs."""

import ast
import re
import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MMPRETRAIN = ['mmengine', 'mmpretrain', 'mmcv', 'timm']
# What brings a package of another name; opencv-python may be its twin without a screen.
DISTRIBUTIONS = dict(
    PIL='pillow',
    cv2='opencv-python',
    mmcv='mmcv-lite',
    modelindex='model-index',
    pytorch_grad_cam='grad-cam',
    sklearn='scikit-learn',
)
TYPE_THIS = "pip install 'mmproto[lite]'"


def python(*lines, without=()):
    """Run lines in a fresh Python that lacks some packages."""
    blocked = f'import sys; sys.modules.update(dict.fromkeys({list(without)!r}))'
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', '\n'.join([blocked, *lines])],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def test_the_equations_need_torch_alone():
    done = python(
        'import torch',
        'before = {name.split(".")[0] for name in sys.modules}',
        'import mmproto.functional as equations',
        'print(equations.log_similarity(torch.zeros(1)).item())',
        'print({name.split(".")[0] for name in sys.modules} - before - sys.stdlib_module_names)',
        without=[*MMPRETRAIN, 'cv2', 'rich', 'huggingface_hub'],
    )
    assert done.returncode == 0, done.stderr
    score, loaded = done.stdout.splitlines()
    assert float(score) == pytest.approx(9.2103, abs=1e-4)
    assert loaded == "{'mmproto'}"


@pytest.mark.parametrize(
    'line',
    [
        'import mmproto; mmproto.models',
        'from mmproto.apis import ProtoPNetInferencer',
        'import mmproto.utils.command_line',
    ],
)
def test_a_part_that_needs_mmpretrain_says_what_to_type(line):
    done = python(line, without=MMPRETRAIN)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith('ImportError: mmproto.')
    assert TYPE_THIS in done.stderr.splitlines()[-1]
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('name', ['train', 'test', 'push', 'explain', 'report', 'fit_last_layer'])
def test_a_tool_without_mmpretrain_says_what_to_type(name):
    run = f'runpy.run_path("tools/{name}.py", run_name="__main__")'
    done = python('import runpy', run, without=MMPRETRAIN[:-1])
    assert TYPE_THIS in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_command_lists_every_tool_without_torch():
    done = python(
        'import mmproto_command',
        'sys.argv[1:] = ["--help"]',
        'mmproto_command.main()',
        'assert "torch" not in {name for name, module in sys.modules.items() if module}',
        without=['torch', *MMPRETRAIN],
    )
    assert done.returncode == 0, done.stderr
    lines = dict(re.findall(r'^  (\w+) +(.*\.)$', done.stdout, re.MULTILINE))
    assert {*lines} == {file.stem for file in (ROOT / 'tools').glob('*.py')}


def test_the_command_runs_a_tool():
    run = ['import mmproto_command', 'mmproto_command.main()']
    done = python('sys.argv[1:] = ["train", "no.py"]', *run)
    assert done.stderr.startswith('error: there is no config file no.py')
    done = python('sys.argv[1:] = ["trian"]', *run)
    assert done.stderr.startswith('error: trian is no tool of mmproto')


def test_a_missing_mmcv_is_named_with_the_command_to_type():
    done = python('import mmproto', without=['mmcv'])
    assert done.returncode == 1
    assert TYPE_THIS in done.stderr.splitlines()[-1]


def test_the_import_loads_nothing_slow_on_top_of_mmpretrain():
    done = python(
        'import time, mmpretrain',
        'before, start = set(sys.modules), time.process_time()',
        'import mmproto',
        'print(time.process_time() - start)',
        'print({name.split(".")[0] for name in set(sys.modules) - before} - {"mmproto"})',
    )
    seconds, loaded = done.stdout.splitlines()
    assert float(seconds) < 0.4
    assert loaded == 'set()'


@pytest.mark.parametrize('name', ['make_birds', 'prototype_sheet', 'demo'])
def test_help_of_a_tool_that_has_no_network_does_not_wait_for_torch(name):
    done = python(
        'import runpy',
        'sys.argv[1:] = ["--help"]',
        f'runpy.run_path("tools/{name}.py", run_name="__main__")',
        without=['torch', *MMPRETRAIN],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('usage: ')


def imported_packages(*folders):
    """The packages that the modules in some folders import, anywhere in them."""
    packages = set()
    for file in (file for folder in folders for file in (ROOT / folder).rglob('*.py')):
        for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                packages.update(alias.name.split('.')[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                packages.add(node.module.split('.')[0])
    return packages - sys.stdlib_module_names - {'mmproto', 'tests'}


@pytest.fixture(scope='module')
def requirements(tmp_path_factory):
    """The requirements by extra, '' for those of all, as the build writes them."""
    out = tmp_path_factory.mktemp('metadata')
    build = 'from setuptools import build_meta as b; b.prepare_metadata_for_build_wheel(r"{}")'
    done = python(build.format(out))
    assert done.returncode == 0, done.stderr
    by_extra = {}
    for line in PathDistribution(next(out.glob('*.dist-info'))).requires:
        requirement, _, marker = line.partition(';')
        name = requirement.strip().split('>')[0].split('[')[0].lower().replace('_', '-')
        extra = marker.partition('extra ==')[2].strip(' "\'')
        by_extra.setdefault(extra, set()).add(name)
    return by_extra


def undeclared(packages, declared):
    names = {package: DISTRIBUTIONS.get(package, package.replace('_', '-')) for package in packages}
    return {package for package, name in names.items() if name not in declared}


def test_every_imported_package_is_declared(requirements):
    declared = set().union(
        *(requirements[extra] for extra in ('', 'lite', 'dicom', 'explain', 'export', 'measures'))
    )
    assert undeclared(imported_packages('mmproto', 'tools', 'configs'), declared) == set()
    declared |= requirements['notebook'] | requirements['test']
    assert undeclared(imported_packages('tests'), declared) == set()


def test_mmpretrain_comes_from_one_of_three_sources(requirements):
    assert requirements['lite'] == {'mmengine', 'mmpretrain', 'mmcv-lite'}
    assert requirements['full'] == {'mmengine', 'mmpretrain', 'mmcv'}
    assert requirements['onedl'] == {'onedl-mmengine', 'onedl-mmpretrain', 'onedl-mmcv'}
