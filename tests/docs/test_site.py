"""The site is built without a warning, and its pages can be read from disk."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip('mkdocs')
pytest.importorskip('mkdocstrings')

LOADED = re.compile(r'<(?:script|img|iframe)[^>]* src="([^"]*)"|<link[^>]* href="([^"]*)"')
LINKS = re.compile(r'<a [^>]*href="([^"]*)"')


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp('site')
    done = subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def local(page, target):
    """The file that an address on a page leads to, and the place on it."""
    path, _, anchor = unquote(target).partition('#')
    return (page.parent / path if path else page), anchor


def test_every_page_loads_and_links_what_is_there(site):
    pages = sorted(page for page in site.rglob('*.html') if page.name != '404.html')
    assert len(pages) > 20
    for page in pages:
        text = page.read_text()
        loaded = {src or href for src, href in LOADED.findall(text)}
        outside = {target for target in loaded if '://' in target}
        assert not outside, f'{page} loads {outside}'
        links = {target for target in LINKS.findall(text) if '://' not in target}
        for target in loaded | links:
            file, anchor = local(page, target)
            assert file.is_file(), f'{page}: {target}'
            if anchor and file.suffix == '.html':
                assert f'id="{anchor}"' in file.read_text() or anchor == '__skip', (page, target)


def test_pages_from_outside_docs_are_there(site):
    home = (site / 'index.html').read_text()
    assert 'images/prototypes.jpg' in home
    assert 'href="networks.html"' in home
    assert 'Table 1' in (site / 'networks.html').read_text()
    assert '<h1 id="changelog">' in (site / 'changelog.html').read_text()


def test_the_reference_shows_every_room_once_and_its_code_as_code(site):
    rooms = {path.parent.name for path in (ROOT / 'mmproto').glob('*/__init__.py')}
    assert {page.stem for page in (site / 'api').glob('*.html')} == {*rooms, 'index'}
    models = (site / 'api' / 'models.html').read_text()
    assert 'id="mmproto.models.heads.protopnet_head.ProtoPNetHead"' in models
    assert 'id="mmproto.models.ProtoPNetHead"' not in models
    for page in (site / 'api').glob('*.html'):
        text = re.sub('<[^>]*>', '', page.read_text())
        for markup in ('.. code', ':class:', ':func:', ':meth:'):
            assert markup not in text, f'{page}: {markup}'
