"""The report's page in a real browser: a real model's, with class names that mean harm."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmpretrain.registry import DATASETS

from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.apis.report import analyse
from mmproto.engine.push_certificate import PushCertificate
from mmproto.evaluation.figure_table import interval_of, number, value_of, worst_prototypes
from mmproto.visualization.prototype_images import NoImages
from mmproto.visualization.report_page import (
    most_confused,
    write_report,
)
from tests.browser import (
    CUT,
    FAINT,
    NARROW,
    OPEN_ALL,
    OVERLAPS,
    WIDE,
    at,
    chromium,  # noqa: F401 - gives the fixture `browser`
    complaints,
    every,
    open_all,
    open_page,
    requests,
    sideways,
    wait,
)
from tests.pushed_birds import (
    CONFIG,
    WICKED,
    birds_fixture,  # noqa: F401
    checkpoint_fixture,  # noqa: F401
    config_fixture,  # noqa: F401
)

pytest.importorskip('selenium', reason='needs selenium')
from selenium.webdriver import ActionChains, Keys

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def datasets(config):
    return {
        name: DATASETS.build(config[f'{loader}_dataloader'].dataset)
        for name, loader in (('train', 'push'), ('test', 'test'))
    }


@pytest.fixture(scope='module')
def written(config, checkpoint, datasets, tmp_path_factory):
    """The report and its page."""
    inferencer = ProtoPNetInferencer(config, str(checkpoint))
    report = analyse(inferencer, str(CONFIG), str(checkpoint))
    file = tmp_path_factory.mktemp('out') / 'report.html'
    write_report(report, inferencer.gallery, datasets, file)
    return report, file


def press(browser, *keys):
    ActionChains(browser).send_keys(*keys).perform()


def scroll_through(browser):
    for selector in ('#confusion', '#classes', '#map'):
        browser.execute_script('document.querySelector(arguments[0]).scrollIntoView()', selector)
        browser.execute_async_script('requestAnimationFrame(() => setTimeout(arguments[0]))')
    wait(browser, lambda: every(browser, '#plot-confusion .main-svg'))
    wait(browser, lambda: every(browser, '#plot-map .main-svg'))


def chosen(browser, report, point):
    """Whether the panel shows a point's neighbours, each with an image that can be seen."""
    buttons = every(browser, '#neighbours li button')
    shown = [int(button.get_attribute('data-point')) for button in buttons]
    widths = browser.execute_script(
        'return [...document.querySelectorAll("#neighbours img")].map((e) => e.naturalWidth)'
    )
    return (
        shown == report.latent_map.neighbours[point].tolist()
        and len(widths) == len(shown) + 1
        and min(widths) > 10
    )


def hover(browser, point):
    """Point at a point of the map, coming from outside of it, and wait for its image."""
    place = browser.execute_async_script(
        """
        const [point, done] = arguments;
        const plot = document.querySelector('#plot-map');
        plot.scrollIntoView();
        // The page hears of the scroll, which hides the tip, in the next frame.
        requestAnimationFrame(() => setTimeout(() => {
          const {xaxis, yaxis} = plot._fullLayout;
          const {left, top} = plot.getBoundingClientRect();
          done([left + xaxis._offset + xaxis.d2p(data.x[point]),
                top + yaxis._offset + yaxis.d2p(data.y[point])].map(Math.round));
        }));
        """,
        point,
    )
    chain = ActionChains(browser)
    chain.w3c_actions.pointer_action.move_to_location(0, 0)
    chain.w3c_actions.pointer_action.move_to_location(*place)
    chain.perform()
    width = 'return document.querySelector("#tip:not([hidden]) img")?.naturalWidth'
    wait(browser, lambda: (browser.execute_script(width) or 0) > 10)


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('size', [WIDE, NARROW])
def test_it_stands_alone_and_can_be_read(browser, written, size, scheme):
    _, file = written
    open_page(browser, file, size, scheme)
    scroll_through(browser)
    open_all(browser, 60)
    browser.execute_script('choose(0)')
    assert not complaints(browser)
    assert requests(browser) == {file.as_uri()}
    assert sideways(browser) <= 0
    assert browser.execute_script(CUT) == []
    assert browser.execute_script(OVERLAPS) == []
    assert browser.execute_script(FAINT) == []
    broken = 'return [...document.images].filter((e) => e.complete && !e.naturalWidth).length'
    assert browser.execute_script(broken) == 0
    nameless = 'return [...document.images].filter((e) => !e.hasAttribute("alt")).length'
    assert browser.execute_script(nameless) == 0


def test_it_says_what_the_report_says(browser, written):
    report, file = written
    open_page(browser, file)
    tiles = [each.text for each in every(browser, '.tiles dd:not(.dim)')]
    concerned = [one for one in report.prototypes if one.concerns]
    doubtful = [one for one in report.prototypes if one.doubtful]
    assert tiles == [f'{100 * report.accuracy:.1f} %', '60', str(len(doubtful))]
    hints = f'hints on {len(concerned) - len(doubtful)} more'
    assert hints in at(browser, '.tiles').text
    checks = [each.text for each in every(browser, '.checks li')]
    assert len(checks) == len(report.checks) == 9
    assert [text.startswith('not checked') for text in checks] == [
        not check.checked for check in report.checks
    ]
    rows = every(browser, '.figures tbody tr')
    for row, figure in zip(rows, report.figures, strict=True):
        assert row.text.startswith(figure.title)
        assert f'{value_of(figure)} {interval_of(figure)}'.strip() in row.text
        assert all(f'{name} {number(value)}' in row.text for name, value in figure.chance.items())
        links = [each.text for each in row.find_elements('css selector', 'td:last-child a')]
        assert links == [str(j) for j in worst_prototypes(figure)]
    assert 'among the 5 most activated ones there' in at(browser, '#concerns').text
    open_all(browser, 60)
    cards = browser.execute_script(
        """
        const texts = (card, selector) =>
          [...card.querySelectorAll(selector)].map((each) => each.textContent);
        return [...document.querySelectorAll('.card')].map((card) =>
          [card.id, texts(card, '.concerns li'), texts(card, '.nearest span')]);
        """
    )
    for one, (name, concerns, seen) in zip(report.prototypes, cards):
        assert name == f'prototype-{one.prototype}'
        assert len(concerns) == len(one.concerns)
        assert all(text.startswith(str(concern)) for text, concern in zip(concerns, one.concerns))
        assert seen == [
            report.classes[patch.label].replace('_', ' ')
            for patch in [*one.nearest_train, *one.nearest_test]
        ]
    listed = {each.get_attribute('hash') for each in every(browser, '.links a')}
    assert listed == {f'#prototype-{one.prototype}' for one in concerned}
    assert len(every(browser, '.explained')) == len(report.correct) + len(report.mistakes)


def test_names_are_text_and_nothing_else(browser, written):
    _, file = written
    open_page(browser, file)
    names = [each.text for each in every(browser, '.class .name b')]
    assert names[: len(WICKED)] == WICKED
    scroll_through(browser)
    browser.execute_script(OPEN_ALL)
    browser.execute_script('choose(0)')
    assert WICKED[0] in at(browser, '#neighbours h3').text
    assert len(every(browser, 'img[src="x"]')) == 0
    ticks = browser.execute_script(
        'return [...document.querySelectorAll("#plot-confusion .ytick text")]'
        '.map((e) => e.textContent)'
    )
    assert ticks[: len(WICKED)] == WICKED
    assert not complaints(browser)


def test_search_filters_by_name_and_by_number(browser, written):
    report, file = written
    open_page(browser, file)
    search = at(browser, '#search')

    def shown(text):
        search.clear()
        search.send_keys(text)
        return [each.get_attribute('id') for each in every(browser, '.class:not([hidden])')]

    assert shown('ALERT(') == ['class-0', 'class-1']
    assert at(browser, '#found').text == '2 of 12 classes'
    assert shown('37') == ['class-7']
    assert shown('no such bird') == []
    assert len(shown(' ')) == len(report.classes)


def test_the_map_answers_to_the_pointer(browser, written):
    report, file = written
    open_page(browser, file)
    scroll_through(browser)
    prototypes = len(report.prototypes)
    positions = report.latent_map.positions
    away = np.linalg.norm(positions[:, None] - positions, axis=2)
    np.fill_diagonal(away, np.inf)
    lonely = prototypes + int(away[prototypes:].min(axis=1).argmax())
    hover(browser, lonely)
    label = int(report.latent_map.labels[lonely])
    assert report.classes[label].replace('_', ' ') in at(browser, '#tip').text
    ActionChains(browser).click().perform()
    wait(browser, lambda: chosen(browser, report, lonely))
    # A prototype lies on the patch that it was pushed onto, and hides it.
    hover(browser, int(away[:prototypes, prototypes:].min(axis=1).argmin()))
    assert at(browser, '#tip').text.startswith('Prototype ')
    ActionChains(browser).click().perform()
    wait(browser, lambda: every(browser, '#neighbours a[href^="#prototype-"]'))


def test_the_keyboard_reaches_everything(browser, written):
    report, file = written
    open_page(browser, file)

    def focused(property='id'):
        return browser.execute_script(f'return document.activeElement.{property}')

    press(browser, Keys.TAB, Keys.ENTER)
    wait(browser, lambda: focused() == 'main')
    at(browser, '#search').send_keys('37', Keys.ENTER)
    wait(browser, lambda: focused() == 'prototype-37')
    outline = 'return getComputedStyle(document.activeElement).boxShadow'
    assert browser.execute_script(outline) != 'none'
    while not focused('className').startswith('to-map'):
        press(browser, Keys.TAB)
    outline = 'return getComputedStyle(document.activeElement).outlineStyle'
    assert browser.execute_script(outline) == 'solid'
    press(browser, Keys.ENTER)
    wait(browser, lambda: chosen(browser, report, 37))
    press(browser, Keys.TAB)
    assert focused('hash') == '#prototype-37'
    press(browser, Keys.TAB, Keys.ENTER)
    neighbour = int(report.latent_map.neighbours[37][0])
    wait(browser, lambda: chosen(browser, report, neighbour))
    assert focused('tagName') == 'H3'
    at(browser, '#point').send_keys('52')
    wait(browser, lambda: chosen(browser, report, 52))
    browser.execute_script('document.querySelector("#mistakes summary").focus()')
    press(browser, Keys.ENTER)
    wait(browser, lambda: every(browser, '#mistakes .matches li'))


def test_the_pushes_say_what_they_were_certain_not_to_change(browser, written, datasets, tmp_path):
    report, _ = written
    (push,) = report.pushes
    kept = PushCertificate(8, unchanged=6, certified=3, by_moves=1, by_theorem=0, assumptions=None)
    pushes = [push, replace(push, certificate=kept)]
    write_report(replace(report, pushes=pushes), NoImages(), datasets, tmp_path / 'pushes.html')
    open_page(browser, tmp_path / 'pushes.html')
    rows = [row.text for row in every(browser, '#pushes tbody tr')]
    assert [row.split()[-2:] for row in rows] == [['unknown', 'unknown'], ['37.5', '%']]
    assert '75.0 % 37.5 %' in rows[1]
    assert not complaints(browser)


def test_a_model_of_which_little_is_known(browser, written, datasets, tmp_path):
    """No images of prototypes, no parts, no pushes, and a prototype of no class."""
    report, _ = written
    nan = float('nan')
    last = replace(report.prototypes[-1], label=-1, fires_own=nan, fires_other=0.25, parts=None)
    untested = replace(report.prototypes[-2], fires_own=nan, fires_other=0.125)
    bare = replace(
        report,
        prototypes=[*report.prototypes[:-2], untested, last],
        correct=[],
        mistakes=[],
        pushes=[],
        figures=[],
        warning='Beware of <this>.',
    )
    write_report(bare, NoImages(), datasets, tmp_path / 'bare.html')
    open_page(browser, tmp_path / 'bare.html')
    assert at(browser, '[role=alert]').text == 'Beware of <this>.'
    first = 'return document.body.innerText.replace("To the content", "").trim()'
    assert browser.execute_script(first).startswith('Beware of <this>.')
    scroll_through(browser)
    at(browser, '#search').send_keys('59', Keys.ENTER)
    card = at(browser, '#prototype-59')
    wait(browser, card.is_displayed)
    assert card.text.count('no image') == 3
    assert 'Fires on 25 % of all test images.' in card.text
    assert len(card.find_elements('css selector', '.nearest span')) == 10
    assert not card.find_elements('css selector', '.nearest .bad, .nearest .own')
    at(browser, '#search').clear()
    at(browser, '#search').send_keys('58', Keys.ENTER)
    wait(browser, at(browser, '#prototype-58').is_displayed)
    other = at(browser, '#prototype-58')
    assert 'Its class has no test image; fires on 12 % of the others.' in other.text
    assert len(other.find_elements('css selector', '.nearest .bad, .nearest .own')) == 10
    browser.execute_script('choose(59)')
    assert at(browser, '#neighbours').text.startswith('Prototype 59')
    assert not complaints(browser)


def test_the_most_frequent_mistakes_come_first():
    confusion = np.array([[5, 2, 0], [0, 4, 1], [3, 0, 0]])
    assert most_confused(confusion) == [(2, 0, 3, 3), (0, 1, 2, 7), (1, 2, 1, 5)]


@pytest.mark.slow
def test_the_command(birds, checkpoint, tmp_path):
    def run(*options):
        command = [sys.executable, 'tools/report.py', CONFIG, checkpoint, *options]
        environment = {**os.environ, 'DATA_ROOT': str(birds)}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    code, out, err = run('--out', tmp_path / 'new' / 'out')
    assert code == 0, err
    assert 'Accuracy ' in out
    assert 'Points explained ' in out
    assert f'The report is in {tmp_path}/new/out/report.html' in out
    page = (tmp_path / 'new' / 'out' / 'report.html').read_text()
    assert page.lstrip().startswith('<!doctype html>')
    assert [path.name for path in (tmp_path / 'new' / 'out').iterdir()] == ['report.html']

    code, _, err = run('--out', tmp_path / 'none', '--batch-size', '0')
    assert code == 2
    assert err.splitlines()[-1].endswith('0 is no whole number of at least 1')
    assert not (tmp_path / 'none').exists()

    (tmp_path / 'file').touch()
    code, out, err = run('--out', tmp_path / 'file')
    assert code == 1
    assert err.startswith('error: ')
    assert err.count('\n') == 1
    assert f'{tmp_path}/file cannot be written' in err
