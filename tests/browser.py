"""A real browser without a screen, for the tests of pages."""

import json
import shutil
from pathlib import Path

import pytest

OPTIONS = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--hide-scrollbars',
]
OPEN_ALL = 'for (const each of document.querySelectorAll("details")) each.open = true'
WIDE, NARROW = (1280, 900), (400, 800)
# Text that is cut or sticks out of the window; what can be scrolled sideways is neither.
CUT = """
const cut = [];
for (const e of document.querySelectorAll('main *, header *, footer')) {
  const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!text || !e.checkVisibility()) continue;
  if (e.closest('svg, .wide, option, noscript, script')) continue;
  const style = getComputedStyle(e);
  const {left, right} = e.getBoundingClientRect();
  const hides = style.overflowX !== 'visible' && style.display !== 'inline';
  if (left < -1 || right > document.documentElement.clientWidth + 1
      || hides && e.scrollWidth > e.clientWidth + 1) cut.push(e.outerHTML.slice(0, 120));
}
return cut;
"""
# Texts whose boxes lie on each other.
OVERLAPS = """
const boxes = [];
const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode;
  const parent = node.parentElement;
  if (!node.textContent.trim() || parent.closest('svg, select, script, noscript, .plot')) continue;
  if (!parent.checkVisibility()) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const t = node.textContent.trim();
  for (const r of range.getClientRects()) {
    boxes.push({t, l: r.left, r: r.right, u: r.top + 3, d: r.bottom - 3, node});
  }
}
const found = [];
boxes.sort((a, b) => a.u - b.u);
for (let i = 0; i < boxes.length; i++) {
  for (let j = i + 1; j < boxes.length && boxes[j].u < boxes[i].d; j++) {
    const [a, b] = [boxes[i], boxes[j]];
    if (a.node !== b.node && a.l + 1 < b.r && b.l + 1 < a.r) found.push(`${a.t} | ${b.t}`);
  }
}
return found;
"""
# Contrast of every text with what is behind it, where that is a plain colour.
FAINT = """
const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
const pen = canvas.getContext('2d', {willReadFrequently: true});
const rgba = (css) => {
  pen.clearRect(0, 0, 1, 1); pen.fillStyle = css; pen.fillRect(0, 0, 1, 1);
  return pen.getImageData(0, 0, 1, 1).data;
};
const light = (css) => {
  const [r, g, b] = [...rgba(css)].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const faint = [];
for (const e of document.querySelectorAll('body *')) {
  const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!text || !e.checkVisibility()) continue;
  if (e.closest('svg, script, noscript, option')) continue;
  const ground = (one) => getComputedStyle(one).backgroundColor;
  let behind = e;
  while (rgba(ground(behind))[3] < 255 && behind.parentElement) behind = behind.parentElement;
  const pair = [light(getComputedStyle(e).color), light(ground(behind))];
  const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${e.outerHTML.slice(0, 100)}`);
}
return faint;
"""


@pytest.fixture(scope='module', name='browser')
def chromium(tmp_path_factory):
    """Chromium with an empty profile, driven by selenium; skips where there is none.

    It notes every request and every message of the console.
    """
    webdriver = pytest.importorskip('selenium.webdriver', reason='needs selenium')
    binary = shutil.which('chromium') or shutil.which('google-chrome')
    driver = shutil.which('chromedriver')
    if binary is None or driver is None:
        pytest.skip('needs Chromium and chromedriver: apt-get install chromium chromium-driver')
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for option in [*OPTIONS, f'--user-data-dir={tmp_path_factory.mktemp("profile")}']:
        options.add_argument(option)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield started
    started.quit()


def open_page(browser, file: Path, size: tuple[int, int] = WIDE, scheme: str = 'light') -> None:
    """Open a page at a width and height, light or dark, with empty logs."""
    metrics = dict(width=size[0], height=size[1], deviceScaleFactor=1, mobile=False)
    browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
    features = [dict(name='prefers-color-scheme', value=scheme)]
    browser.execute_cdp_cmd('Emulation.setEmulatedMedia', dict(features=features))
    browser.get('about:blank')  # ends what the browser itself asks for at its start
    for log in ('browser', 'performance'):
        browser.get_log(log)
    browser.get(file.as_uri())


def open_all(browser, cards: int) -> None:
    """Open all that can be opened, until so many cards are filled in.

    Chromium loses the event of opening now and then, when a script opens all at once: then it is
    all closed and opened again, as a person would.
    """

    def opened() -> bool:
        browser.execute_script(OPEN_ALL)
        browser.execute_async_script('setTimeout(arguments[0], 500)')
        filled = len(every(browser, '.card')) == cards
        if not filled:
            browser.execute_script(OPEN_ALL.replace('true', 'false'))
        return filled

    wait(browser, opened)


def at(browser, selector: str):
    """Return the first element that a selector finds."""
    return browser.find_element('css selector', selector)


def every(browser, selector: str) -> list:
    """Return all elements that a selector finds."""
    return browser.find_elements('css selector', selector)


def wait(browser, condition):
    """Wait until a function gives something true, and return that."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 60).until(lambda _: condition())


def complaints(browser) -> list[str]:
    """What the console says since the page was opened."""
    return [entry['message'] for entry in browser.get_log('browser')]


def requests(browser) -> set[str]:
    """What was asked for since the page was opened, but for images inside the page."""
    messages = (json.loads(entry['message'])['message'] for entry in browser.get_log('performance'))
    urls = (
        message['params']['request']['url']
        for message in messages
        if message['method'] == 'Network.requestWillBeSent'
    )
    return {url for url in urls if not url.startswith(('data:', 'about:'))}


def sideways(browser) -> int:
    """By how many pixels the page is wider than the window."""
    return browser.execute_script(
        'const {scrollWidth, clientWidth} = document.documentElement;'
        'return scrollWidth - clientWidth'
    )
