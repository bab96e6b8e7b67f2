"""Takes pages from outside docs/ into the site, and leads the links of all pages there."""

import posixpath
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# Where each page is in the repository, and in the site.
PAGES = {
    'README.md': 'index.md',
    'CHANGELOG.md': 'changelog.md',
    'CONTRIBUTING.md': 'contributing.md',
    'configs/protopnet/README.md': 'networks.md',
}
LINK = re.compile(r'\[(?P<text>[^]]*)\]\((?P<path>[^):#\s]+)(?P<anchor>#[^)]*)?\)')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of ``PAGES``."""
    for source, page in PAGES.items():
        path = posixpath.join(posixpath.dirname(config.config_file_path), source)
        with open(path, encoding='utf-8') as text:
            files.append(File.generated(config, page, content=text.read()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links that hold in the repository to the same page of the site.

    What the site has no page for, such as a config, keeps its name and loses its link.
    """
    here = page.file.src_uri
    sources = {page: source for source, page in PAGES.items()}
    folder = posixpath.dirname(sources.get(here, f'docs/{here}'))

    def led(match: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(folder, match['path']))
        there = PAGES.get(target, target.removeprefix('docs/'))
        if target not in PAGES and not target.startswith('docs/'):
            return f'`{match["text"].strip("`")}`'
        path = posixpath.relpath(there, posixpath.dirname(here) or '.')
        return f'[{match["text"]}]({path}{match["anchor"] or ""})'

    return LINK.sub(led, markdown)
