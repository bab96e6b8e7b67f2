'use strict';
// What a person edits the model by; the same decision may be shown at several places.
const number = (within) => Number(within.closest('[data-prototype]').dataset.prototype);
const bar = find('#edits');
const NAMED = 5;  // classes without prototypes in the bar

function showDecisions(root) {
  for (const each of all('[data-prototype]', root)) {
    each.classList.toggle('gone', edits.removed.has(number(each)));
  }
  for (const tick of all('.use', root)) tick.checked = !edits.removed.has(number(tick));
  for (const field of all('.radius', root)) {
    const radius = edits.forbidden.get(number(field));
    field.disabled = radius === undefined;
    field.value = radius ?? 0;
    find('.forbid', field.closest('.edit')).checked = radius !== undefined;
  }
  for (const field of all('.call', root)) field.value = nameOf(number(field));
  for (const each of all('.called', root)) each.textContent = quoted(nameOf(number(each)));
}

const counted = (count, one, many) => count && `${count} ${count === 1 ? one : many}`;

function showBar() {
  const {removed, forbidden, names, onlyOnObjects} = edits;
  const parts = [
    counted(removed.size, 'prototype removed', 'prototypes removed'),
    counted(forbidden.size, 'patch forbidden', 'patches forbidden'),
    counted(names.size, 'name changed', 'names changed'),
    onlyOnObjects && 'only on objects',
  ].filter(Boolean);
  if (removed.size) {
    parts.push(data.edit.scored
      ? `accuracy ${reportedAccuracy} → ${accuracy()}`
      : 'accuracy is not followed here');
  }
  bar.hidden = !isEdited();
  find('#edited').textContent = parts.join(', ');
  const emptied = emptiedClasses().map((label) => data.names[label]);
  const more = emptied.splice(NAMED).length;
  find('#emptied').textContent = emptied.length
    ? `No prototype is left of ${emptied.join(', ')}${more ? ` and ${more} other classes` : ''}.` : '';
  document.documentElement.style.scrollPaddingTop = `${bar.offsetHeight + 8}px`;
}

function showAll() {
  showModel();
  showDecisions(document);
  const only = find('#only-on-objects');
  if (only) only.checked = edits.onlyOnObjects;
  showBar();
}

// What a control decides, by its class.
const decide = {
  use: ({checked}, prototype) => setDecision(prototype, !checked, edits.removed),
  forbid: ({checked}, prototype) => setDecision(prototype, checked, edits.forbidden, 0),
  radius: ({valueAsNumber}, prototype) => {
    if (valueAsNumber >= 0) setDecision(prototype, true, edits.forbidden, valueAsNumber);
  },
  call: ({value}, prototype) => setName(prototype, value),
};
document.addEventListener('change', ({target}) => {
  const [, decided] = Object.entries(decide).find(([name]) => target.classList.contains(name)) ?? [];
  if (!decided) return;
  decided(target, number(target));
  if (target.classList.contains('use')) showModel();
  showDecisions(document);
  showBar();
});
find('#only-on-objects')?.addEventListener('change', ({target}) => {
  edits.onlyOnObjects = target.checked;
  showBar();
});

// Where images are explained, every match can be unticked as well.
document.addEventListener('filled', ({target}) => {
  for (const row of all('.matches > li', target)) {
    const label = `Use prototype ${row.dataset.prototype}`;
    const tick = element('input', {type: 'checkbox', className: 'use'});
    row.append(element('label', {className: 'tick'}, tick, ` ${label}`));
  }
  prepareLogits();
  if (target.matches('.explained')) showExplained(target);
  showDecisions(target);
});

find('#undo').addEventListener('click', () => {
  clearEdits();
  showAll();
  find('#loaded').textContent = 'All edits are undone.';
  find('#edit').focus();
});

// A page that is left with edits that are in no file asks first.
const fileText = () => `${JSON.stringify(editsFile(), null, 1)}\n`;
let inFile = fileText();
window.addEventListener('beforeunload', (event) => {
  if (fileText() !== inFile) event.preventDefault();
});

find('#save').addEventListener('click', () => {
  inFile = fileText();
  const file = new Blob([inFile], {type: 'application/json'});
  const href = URL.createObjectURL(file);
  element('a', {href, download: 'edits.json'}).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
});

find('#load').addEventListener('change', async ({target}) => {
  if (!target.files.length) return;
  const said = find('#loaded');
  try {
    readEdits(await target.files[0].text());
    inFile = fileText();
    said.textContent = 'The edits of the file are shown.';
  } catch ({message}) {
    said.textContent = `${message} Nothing was changed.`;
  }
  target.value = '';
  showAll();
});
