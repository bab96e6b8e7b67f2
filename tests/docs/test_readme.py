"""What README and the pages name is there, and the README's Python runs."""

import re

import pytest
from PIL import Image

from tests.docs.code_blocks import DOCS, code_blocks
from tests.pushed_birds import (  # noqa: F401
    CONFIG,
    birds_fixture,
    checkpoint_fixture,
    config_fixture,
)

ROOT = DOCS.parent
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted(DOCS.glob('*.md'))]
PAGES.remove(DOCS / 'ROADMAP.md')  # names what is not there yet
FILE = re.compile(r'(?<![\w$./])(?:tools|configs|docs|tests|mmproto)/[\w./-]*\w\.(?:py|sh|md|yml)')
OPTION = re.compile(r'^ +(tools/\w+\.py)((?:[^\n\\#]|\\\n)*)', re.MULTILINE)


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page):
    examples = set(re.findall(r'leaf_\w+|resnet10t_birds_\w+', page.read_text()))
    for name in FILE.findall(page.read_text()):
        if not any(example in name for example in examples):
            assert (ROOT / name).is_file(), name


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_options_that_a_page_names_are_those_of_the_tool(page):
    common = (ROOT / 'mmproto' / 'utils' / 'command_line.py').read_text()
    for tool, rest in OPTION.findall(page.read_text()):
        source = (ROOT / tool).read_text() + common
        for option in re.findall(r'(?<=\s)--[a-z-]+', rest):
            assert f"'{option}'" in source, f'{tool} {option}'


def test_the_readmes_python_runs(birds, checkpoint, tmp_path, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(Image.Image, 'show', lambda image: shown.append(image.size))
    monkeypatch.setenv('DATA_ROOT', str(birds))
    (code,) = code_blocks('../README.md', 'Ten lines of Python')
    names = {
        'configs/protopnet/vgg19_cub.py': CONFIG,
        'epoch_91.pth': checkpoint,
        'bird.jpg': next((birds / 'images').glob('*/*.jpg')),
        "'why'": repr(str(tmp_path / 'why')),
    }
    for name, path in names.items():
        assert name in code
        code = code.replace(name, str(path))
    exec(code, {})  # noqa: S102
    assert len(code.splitlines()) <= 10
    assert len(re.findall(r'points of prototype \d+, found in Box', capsys.readouterr().out)) == 3
    assert len(shown) == 1
    assert len(list((tmp_path / 'why').glob('*.html'))) >= 1


def test_the_python_of_the_package_index_runs(capsys):
    (code,) = code_blocks('pypi.md', 'mmproto')
    exec(code, {})  # noqa: S102
    *_, printed = capsys.readouterr().out.splitlines()  # timm may log before
    assert f'# {printed}\n' in code
