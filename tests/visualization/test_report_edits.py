"""A model edited in its report, in a real browser: what the page says is what torch says."""

import copy
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmpretrain import get_model
from mmpretrain.registry import DATASETS

from mmproto.apis.inferencer import ProtoPNetInferencer
from mmproto.apis.report import analyse
from mmproto.datasets.birds import make_birds
from mmproto.models.heads.fingerprint import fingerprint
from mmproto.visualization.report_page import most_confused, write_report
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
from tests.command import run_command
from tests.pushed_birds import (
    CONFIG,
    WICKED,
    config_fixture,  # noqa: F401
    push_and_save,
)

pytest.importorskip('selenium', reason='needs selenium')
from selenium.webdriver import ActionChains, Keys

CLASSES, OF_CLASS = 12, 5
WHOLE_CLASS = range(15, 20)
NAME = '"><img src=x onerror=alert(3)>'


@pytest.fixture(scope='module', name='birds')
def birds_fixture(tmp_path_factory):
    return make_birds(tmp_path_factory.mktemp('data') / 'birds', train=2, test=3, size=64)


@pytest.fixture(scope='module')
def checkpoint(config, tmp_path_factory):
    torch.manual_seed(0)
    model = get_model(config)
    torch.nn.init.normal_(model.head.last_layer.weight)
    return push_and_save(model, config, tmp_path_factory.mktemp('work'), WICKED)


@pytest.fixture(scope='module')
def inferencer(config, checkpoint):
    return ProtoPNetInferencer(config, str(checkpoint))


@pytest.fixture(scope='module')
def datasets(config):
    return {
        name: DATASETS.build(config[f'{loader}_dataloader'].dataset)
        for name, loader in (('train', 'push'), ('test', 'test'))
    }


@pytest.fixture(scope='module')
def report(inferencer):
    return analyse(inferencer, str(CONFIG), 'epoch_1.pth')


@pytest.fixture(scope='module')
def page(report, inferencer, datasets, tmp_path_factory):
    file = tmp_path_factory.mktemp('out') / 'report.html'
    write_report(report, inferencer.gallery, datasets, file)
    return file


@pytest.fixture
def opened(browser, page):
    """The page, with every class and every explained image open."""
    open_page(browser, page)
    open_all(browser, CLASSES * OF_CLASS)
    return browser


def card(browser, prototype, selector=''):
    return at(browser, f'#prototype-{prototype} {selector}')


def click(browser, element):
    browser.execute_script('arguments[0].click()', element)


def untick(browser, *prototypes):
    """Untick, or tick again."""
    for prototype in prototypes:
        click(browser, card(browser, prototype, '.use'))


def type_into(browser, field, text):
    browser.execute_script(
        'arguments[0].value = arguments[1];'
        'arguments[0].dispatchEvent(new Event("change", {bubbles: true}))',
        field,
        text,
    )


def confusion_without(inferencer, config, removed):
    """What the model makes of the test set once it is pruned, the last layer as it was."""
    model = copy.deepcopy(inferencer.model)
    keep = torch.ones(CLASSES * OF_CLASS, dtype=torch.bool)
    keep[list(removed)] = False
    model.head.prune(keep)
    matrix = np.zeros((CLASSES, CLASSES), int)
    with torch.no_grad():
        for batch in Runner.build_dataloader(config.test_dataloader):
            for sample in model.test_step(batch):
                matrix[int(sample.gt_label), int(sample.pred_label)] += 1
    return matrix


def said_confusion(browser):
    return np.array(browser.execute_script('return data.confusion'))


def accuracy_in_words(confusion):
    return f'{100 * np.trace(confusion) / confusion.sum():.1f} %'


def saved(browser, folder):
    """The file that the page saves."""
    behaviour = dict(behavior='allow', downloadPath=str(folder))
    browser.execute_cdp_cmd('Browser.setDownloadBehavior', behaviour)
    click(browser, at(browser, '#save'))
    file = folder / 'edits.json'
    wait(browser, file.exists)
    return file


def load(browser, file):
    """Give the page a file; returns what it says."""
    browser.execute_script('document.querySelector("#loaded").textContent = ""')
    at(browser, '#load').send_keys(str(file))
    return wait(browser, lambda: at(browser, '#loaded').text)


def edits(browser):
    return browser.execute_script('return editsFile()')


def test_figures_are_those_of_the_pruned_model(opened, report, inferencer, config):
    removed = []
    base = report.confusion_matrix
    for some in ([7], [0, 44], WHOLE_CLASS, range(30, 43), [*range(1, 7), *range(45, 59)]):
        untick(opened, *some)
        removed += some
        expected = confusion_without(inferencer, config, removed)
        assert (said_confusion(opened) == expected).all()
        assert at(opened, '#accuracy').text == accuracy_in_words(expected)
        assert at(opened, '#right-images').text == f'{np.trace(expected)} of 36 test images'
        assert at(opened, '#prototypes').text == str(60 - len(set(removed)))
        words = f'accuracy {accuracy_in_words(base)} → {accuracy_in_words(expected)}'
        assert at(opened, '#edited').text.endswith(words)
        right = [int(each.text) for each in every(opened, '.class .right')]
        assert right == np.diag(expected).tolist()
        mistakes = [
            tuple(map(int, re.findall(r'\d+', each)))
            for each in opened.execute_script(
                'return [...document.querySelectorAll(".confused li")].map((li) =>'
                '[li.firstChild.data, ...[...li.querySelectorAll("a")].map((a) => a.hash)].join())'
            )
        ]
        expected_pairs = [
            (count, of, true, taken) for true, taken, count, of in most_confused(expected)
        ]
        assert mistakes == expected_pairs[:20]
    assert (said_confusion(opened) != base).any()
    untick(opened, *removed)
    assert (said_confusion(opened) == base).all()
    assert not at(opened, '#edits').is_displayed()
    assert not every(opened, '.gone')


@pytest.mark.slow
def test_the_page_says_what_the_edited_checkpoint_does(opened, birds, checkpoint, tmp_path):
    untick(opened, 7, 0, 44, *range(30, 34))
    type_into(opened, card(opened, 5, '.call'), NAME)
    confusion, file = said_confusion(opened), saved(opened, tmp_path)

    def run(tool, *arguments):
        command = (f'tools/{tool}.py', CONFIG, *arguments, '--work-dir', tmp_path)
        code, text = run_command(*command, DATA_ROOT=str(birds))
        assert code == 0, text

    edited, metrics = tmp_path / 'edited.pth', tmp_path / 'metrics.json'
    # The checkpoint's first classes are renamed, and the data's are not: no class is to be checked.
    plain = torch.load(checkpoint)
    del plain['meta']['dataset_meta']
    torch.save(plain, tmp_path / 'plain.pth')
    run('edit', tmp_path / 'plain.pth', file, '--keep-last-layer', '--out', edited)
    run('test', edited, '--out', metrics)
    accuracy = 100 * np.trace(confusion) / confusion.sum()
    assert json.loads(metrics.read_text())['accuracy/top1'] == pytest.approx(accuracy, abs=1e-4)
    assert len(torch.load(edited)['state_dict']['head.prototype_class']) == 60 - 7


def test_explained_images_follow(opened, report):
    scores, weight = (
        array.astype(float) for array in (report.editable.scores, report.editable.weight)
    )
    removed = [*WHOLE_CLASS, 0, 21, 22, 50]
    untick(opened, *removed)
    kept = np.setdiff1d(np.arange(60), removed)
    logits = scores[:, kept] @ weight[:, kept].T
    probabilities = torch.from_numpy(logits).softmax(dim=1).numpy()
    names = [name.replace('_', ' ') for name in report.classes]
    changed = 0
    for one, details in zip([*report.mistakes, *report.correct], every(opened, '.explained')):
        image = report.test_images[one.name]
        label = int(logits[image].argmax())
        words = f'{100 * probabilities[image, label]:.1f} %'
        said = details.find_element('css selector', 'summary .now')
        if label == one.prediction.label:
            assert said.text == f'now {words}'
        else:
            changed += 1
            assert said.text == f'now predicted: {names[label]}, {words}'
            good = label == report.editable.labels[image]
            assert said.get_attribute('class') == f'now {"good" if good else "bad"}'
        for part, explained in zip(
            details.find_elements('css selector', '.columns section'),
            (one.prediction.target, one.prediction.rival),
        ):
            own = [m.prototype for m in explained.matches if m.prototype not in removed]
            figures = part.find_element('css selector', '.now').text
            points = scores[image, own] @ weight[explained.label, own]
            logit = logits[image, explained.label]
            found = [float(figure) for figure in re.findall(r'[-+]?\d+\.?\d*', figures)]
            expected = [len(own), points, logit - points, logit]
            assert found[:4] == pytest.approx(expected, abs=6e-4)
            assert found[4] == pytest.approx(100 * probabilities[image, explained.label], abs=0.06)
            struck = part.find_elements('css selector', 'li.gone')
            assert len(struck) == len(explained.matches) - len(own)
    assert changed
    click(opened, at(opened, '#undo'))
    assert not any(each.text for each in every(opened, '.now'))


def test_a_match_can_be_unticked_where_it_is_explained(opened):
    row = at(opened, '.explained .matches > li')
    prototype = row.get_attribute('data-prototype')
    tick = row.find_element('css selector', '.use')
    assert tick.accessible_name.strip() == f'Use prototype {prototype}'
    click(opened, tick)
    assert edits(opened)['remove'] == [int(prototype)]
    assert not card(opened, prototype, '.use').is_selected()
    assert 'gone' in card(opened, prototype).get_attribute('class')


def test_a_class_without_prototypes_is_named(opened):
    untick(opened, *WHOLE_CLASS[:-1], *range(5))
    assert at(opened, '#emptied').text == f'No prototype is left of {WICKED[0]}.'
    untick(opened, WHOLE_CLASS[-1])
    assert WICKED[3] in at(opened, '#emptied').text
    assert at(opened, '#class-3 .count').text == '0 prototypes'
    untick(opened, 0, 16)
    assert at(opened, '#emptied').text == ''


def test_the_file_is_what_is_agreed_on_and_can_be_loaded_again(opened, page, inferencer, tmp_path):
    untick(opened, 17, 3)
    click(opened, card(opened, 3, '.forbid'))
    click(opened, card(opened, 8, '.forbid'))
    type_into(opened, card(opened, 8, '.radius'), '0.25')
    type_into(opened, card(opened, 8, '.radius'), '-1')  # stays as it was
    type_into(opened, card(opened, 5, '.call'), ' red beak ')
    type_into(opened, card(opened, 6, '.call'), 'ü' * 40)
    click(opened, at(opened, '#only-on-objects'))
    file = saved(opened, tmp_path)
    expected = {
        'model': fingerprint(inferencer.model.head),
        'checkpoint': 'epoch_1.pth',
        'remove': [3, 17],
        'forbid': [{'prototype': 3, 'radius': 0.0}, {'prototype': 8, 'radius': 0.25}],
        'only_on_objects': True,
        'names': {'5': 'red beak', '6': 'ü' * 32},
    }
    given = json.loads(file.read_text(encoding='utf-8'))
    assert given == expected
    assert list(given) == list(expected)
    assert not complaints(opened)

    open_page(opened, page)
    assert not at(opened, '#edits').is_displayed()
    opened.execute_script('edits.removed.add(50); setName(51, "gone"); showAll()')
    assert load(opened, file) == 'The edits of the file are shown.'
    assert edits(opened) == expected
    words = '2 prototypes removed, 2 patches forbidden, 2 names changed, only on objects, accuracy '
    assert at(opened, '#edited').text.startswith(words)
    opened.execute_script(OPEN_ALL)
    wait(opened, lambda: every(opened, '#prototype-8'))
    assert card(opened, 8, '.radius').get_attribute('value') == '0.25'
    assert card(opened, 8, '.use').is_selected()
    assert not card(opened, 17, '.use').is_selected()
    assert card(opened, 5, 'h3').text == 'Prototype 5 “red beak”'
    click(opened, at(opened, '#undo'))
    assert edits(opened) == {
        **expected, 'remove': [], 'forbid': [], 'only_on_objects': False, 'names': {}
    }  # fmt: skip
    assert not at(opened, '#only-on-objects').is_selected()
    assert card(opened, 17, '.use').is_selected()
    assert card(opened, 5, '.call').get_attribute('value') == ''


def test_a_file_written_by_hand_may_leave_fields_out(opened, inferencer, tmp_path):
    own = dict(model=fingerprint(inferencer.model.head), checkpoint='epoch_1.pth')
    (tmp_path / 'edits.json').write_text(json.dumps({**own, 'forbid': [dict(prototype=3)]}))
    assert load(opened, tmp_path / 'edits.json') == 'The edits of the file are shown.'
    assert edits(opened)['forbid'] == [dict(prototype=3, radius=0)]
    assert edits(opened)['remove'] == []


def test_a_file_that_does_not_fit_changes_nothing(opened, tmp_path):
    untick(opened, 4)
    before = edits(opened)
    file = tmp_path / 'edits.json'
    for content, words in (
        ('{', 'no JSON'),
        ('null', 'names no model'),
        (dict(model='0' * 64, checkpoint=WICKED[1]), f'edits of another model, {WICKED[1]}'),
        (dict(remove=[60]), '“remove”'),
        (dict(remove=[0.5]), '“remove”'),
        (dict(forbid=[dict(prototype=1, radius=-1)]), '“forbid”'),
        (dict(forbid=[None]), '“forbid”'),
        (dict(only_on_objects=1), '“only_on_objects”'),
        (dict(names={'60': 'x'}), '“names”'),
        (dict(names={'1': 2}), '“names”'),
    ):
        file.write_text(content if isinstance(content, str) else json.dumps(before | content))
        said = load(opened, file)
        assert words in said
        assert said.endswith('Nothing was changed.')
        assert edits(opened) == before
    assert not complaints(opened)


def test_a_name_is_text_and_nothing_else(opened):
    type_into(opened, card(opened, 2, '.call'), NAME)
    assert card(opened, 2, 'h3').text == f'Prototype 2 “{NAME}”'
    opened.execute_script('choose(2)')
    assert f'“{NAME}”' in at(opened, '#neighbours h3').text
    explained = every(opened, '.explained [data-prototype="2"] .called')
    assert explained
    assert {each.get_property('textContent') for each in explained} == {f' “{NAME}”'}
    assert at(opened, '#edited').text == '1 name changed'
    assert not every(opened, 'img[src="x"]')
    assert not complaints(opened)


@pytest.mark.parametrize(('size', 'scheme'), [(WIDE, 'light'), (NARROW, 'dark')])
def test_an_edited_page_stands_alone_and_can_be_read(browser, page, size, scheme):
    open_page(browser, page, size, scheme)
    open_all(browser, 60)
    untick(browser, *range(30))
    type_into(browser, card(browser, 2, '.call'), 'm' * 64)
    at(browser, '#confusion').click()
    assert at(browser, '#edits').rect['y'] >= 0
    assert at(browser, '#save').is_displayed()
    assert requests(browser) == {page.as_uri()}
    assert sideways(browser) <= 0
    assert browser.execute_script(CUT) == []
    assert browser.execute_script(OVERLAPS) == []
    assert browser.execute_script(FAINT) == []
    labels = 'return [...document.querySelectorAll("input")].every((e) => e.labels.length === 1)'
    assert browser.execute_script(labels)
    assert not complaints(browser)


def test_the_keyboard_does_it_all(browser, page):
    open_page(browser, page)
    at(browser, '#search').send_keys('37', Keys.ENTER)
    wait(browser, lambda: every(browser, '#prototype-37'))

    def press(*keys):
        ActionChains(browser).send_keys(*keys).perform()

    def focus_on(name):
        focused = 'return document.activeElement.matches(arguments[0])'
        while not browser.execute_script(focused, name):
            press(Keys.TAB)

    focus_on('#prototype-37 .use')
    press(Keys.SPACE)
    focus_on('#prototype-37 .forbid')
    press(Keys.SPACE)
    focus_on('#prototype-37 .radius')
    press('2', Keys.TAB)
    focus_on('#prototype-37 .call')
    press('tail', Keys.TAB)
    found = edits(browser)
    assert found['remove'] == [37]
    assert found['forbid'] == [dict(prototype=37, radius=2)]
    assert found['names'] == {'37': 'tail'}
    browser.execute_script('document.querySelector("#undo").focus()')
    press(Keys.ENTER)
    assert edits(browser)['remove'] == []
    assert browser.execute_script('return document.activeElement.id') == 'edit'


def test_a_model_whose_scores_are_too_many(browser, report, inferencer, datasets, tmp_path):
    few = replace(report.editable, scores=None, pushed=False, has_boxes=False)
    file = tmp_path / 'report.html'
    prototypes = [replace(report.prototypes[0], name=NAME), *report.prototypes[1:]]
    large = replace(report, editable=few, prototypes=prototypes)
    write_report(large, inferencer.gallery, datasets, file)
    open_page(browser, file)
    assert 'the scores of 60 prototypes on 36 images are too many' in at(browser, '#edit').text
    open_all(browser, 60)
    assert card(browser, 0, 'h3').text == f'Prototype 0 “{NAME}”'
    assert not every(browser, '.forbid, .radius, #only-on-objects, .scores, .weights')
    untick(browser, 9)
    words = '1 prototype removed, accuracy is not followed here'
    assert at(browser, '#edited').text == words
    assert (said_confusion(browser) == report.confusion_matrix).all()
    assert at(browser, '#accuracy').text == accuracy_in_words(report.confusion_matrix)
    assert not any(each.text for each in every(browser, '.now'))
    type_into(browser, card(browser, 0, '.call'), '')
    given = json.loads(saved(browser, tmp_path).read_text())
    assert (given['remove'], given['names']) == ([9], {'0': ''})
    assert not complaints(browser)


@pytest.mark.parametrize(('seed', 'size'), [(0, 1), (1, 1e-6), (2, 1e4), (3, 0)])
def test_sums_forget_what_was_taken_away(opened, seed, size):
    """They are exact for any order, so that equal logits stay equal and empty ones are zero."""
    rng = np.random.default_rng(seed)
    scores = (size * rng.normal(size=(9, 7))).astype(np.float32)
    weight = np.where(rng.random((7, 4)) < 0.5, 0, rng.normal(size=(7, 4))).astype(np.float32)
    weight[:, 3] = weight[:, 0]
    removed = [[1, 2], [], [1, 4, 6], list(range(7)), [4]]
    sums, predicted, again = opened.execute_script(
        """
        const [scores, weights, removed] = arguments;
        const make = () => new Logits(new Float32Array(scores), new Float32Array(weights),
          new Array(9).fill(0), 7);
        const walked = make();
        const results = removed.map((some) => {
          walked.takeAway(new Set(some));
          const once = make();
          once.takeAway(new Set(some));
          const predicted = walked.labels.map((_, i) => walked.predicted(i));
          return [[...walked.sums], predicted, [...once.sums]];
        });
        return [0, 1, 2].map((i) => results.map((one) => one[i]));
        """,
        scores.ravel().tolist(),
        weight.ravel().tolist(),
        removed,
    )
    assert sums == again
    for gone, found, labels in zip(removed, sums, predicted):
        keep = np.setdiff1d(np.arange(7), gone)
        expected = scores[:, keep].astype(float) @ weight[keep].astype(float)
        found = np.reshape(found, (9, 4))
        assert np.abs(found - expected).max() <= 1e-12 * max(size, 1e-300) * 7
        assert (found[:, 0] == found[:, 3]).all()
        assert labels == expected[:, :3].round(12).argmax(axis=1).tolist() or size == 1e-6
        assert 3 not in labels
    assert not np.any(sums[3])
