"""The code of a page of the documentation, by section."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / 'docs'


def code_blocks(page, section, language='python'):
    """The code blocks of a section, up to the next heading of its level or above.

    Args:
        page: Name of the page in docs/.
        section: Title of the section.
        language: What is written behind the three backticks.
    """
    found, level, block = [], 0, None
    for line in (DOCS / page).read_text().splitlines():
        heading = block is None and re.fullmatch(r'(#+) (.*)', line)
        if heading and heading[2] == section:
            level = len(heading[1])
        elif heading and len(heading[1]) <= level:
            break
        elif not level:
            continue
        elif block is None and line.startswith('```'):
            block = (line[3:], [])
        elif block is not None and line == '```':
            found.append(block)
            block = None
        elif block is not None:
            block[1].append(line)
    if not found:
        raise ValueError(f'docs/{page} has no code in a section {section!r}')
    return ['\n'.join(lines) + '\n' for name, lines in found if name == language]
