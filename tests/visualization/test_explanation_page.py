"""The pages that tools/explain.py writes, in a real browser."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import (
    CUT,
    FAINT,
    NARROW,
    OVERLAPS,
    WIDE,
    chromium,  # noqa: F401 - gives the fixture `browser`
    complaints,
    open_page,
    requests,
    sideways,
)
from tests.pushed_birds import (
    CONFIG,
    WICKED,
    birds_fixture,  # noqa: F401
    checkpoint_fixture,  # noqa: F401
    config_fixture,  # noqa: F401
)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def pages(birds, checkpoint, tmp_path_factory):
    """Pages of two images: one is asked why it might be of the first class."""
    out = tmp_path_factory.mktemp('out')
    images = sorted((birds / 'images').glob('*/*.jpg'))[:2]
    options = ['--out', out, '--class', '0']
    subprocess.run(
        [sys.executable, 'tools/explain.py', CONFIG, checkpoint, *images, *options],
        cwd=ROOT,
        env={**os.environ, 'DATA_ROOT': str(birds)},
        check=True,
        capture_output=True,
    )
    return [out / 'index.html', *(out / f'{image.stem}.html' for image in images)]


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('size', [WIDE, NARROW])
def test_they_stand_alone_and_can_be_read(browser, pages, size, scheme):
    for page in pages:
        open_page(browser, page, size, scheme)
        browser.execute_script('document.querySelectorAll("details").forEach((e) => e.open = true)')
        assert not complaints(browser)
        assert requests(browser) == {page.as_uri()}
        assert sideways(browser) <= 0
        assert browser.execute_script(CUT) == []
        assert browser.execute_script(OVERLAPS) == []
        assert browser.execute_script(FAINT) == []
        broken = 'return [...document.images].filter((e) => !e.complete || !e.naturalWidth).length'
        assert browser.execute_script(broken) == 0


def test_points_and_the_rest_sum_to_the_logit(browser, pages):
    open_page(browser, pages[1])
    sections = browser.execute_script(
        """
        return [...document.querySelectorAll('.columns section')].map((section) => [
          section.querySelector('h2').textContent,
          [...section.querySelectorAll('.points b')].map((each) => each.textContent),
          section.querySelector('.sum').textContent]);
        """
    )
    assert sections[0][0] == f'Why {WICKED[0]}?'
    assert len(sections) == 2
    for _, points, text in sections:
        shown, rest, logit = (float(figure) for figure in re.findall(r'[+-]?\d+\.\d{3}', text)[:3])
        assert shown + rest == pytest.approx(logit, abs=0.002)
        rows = [float(each.removesuffix(' points')) for each in points]
        assert sum(rows) == pytest.approx(shown, abs=0.006 * len(rows))


def test_names_of_prototypes_are_text_and_nothing_else(browser, pages):
    open_page(browser, pages[1])
    captions = browser.execute_script(
        'return [...document.querySelectorAll(".matches")][0].innerText'
    )
    for number, name in enumerate(WICKED):
        assert f'prototype {number} “{name}”' in captions
    assert 'prototype 4\n' in captions
    assert len(browser.find_elements('css selector', 'img[src="x"]')) == 0
    match = json.loads(pages[1].with_suffix('.json').read_text())['target']['matches']
    assert {one['prototype']: one['name'] for one in match} == {**dict(enumerate(WICKED)), 4: None}


def test_heat_maps_open_by_the_keyboard(browser, pages):
    from selenium.webdriver import ActionChains, Keys

    open_page(browser, pages[1])
    details = browser.find_element('css selector', 'details')
    image = details.find_element('css selector', 'img')
    assert not image.is_displayed()
    ActionChains(browser).send_keys(Keys.TAB).perform()
    focused = browser.switch_to.active_element
    assert focused.text == 'Heat maps'
    assert focused.value_of_css_property('outline-style') == 'solid'
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    assert image.is_displayed()
