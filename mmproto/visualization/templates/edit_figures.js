'use strict';
// What the page says of the model without the prototypes that are taken away.
const percent = (fraction) => `${(100 * fraction).toFixed(1)} %`;
const signed = (number, digits) => `${number < 0 ? '' : '+'}${number.toFixed(digits)}`;
const asReported = data.confusion;
const trace = (confusion) => confusion.reduce((sum, row, label) => sum + row[label], 0);
const reportedAccuracy = find('#accuracy').textContent;
const accuracy = () => data.confusion === asReported ? reportedAccuracy
  : percent(trace(data.confusion) / data.edit.labels.length);
let logits = null;

// Scores and weights are read when the first prototypes are shown, and their sums made in the
// pauses, so that the first one that is taken away need not wait for them.
function prepareLogits() {
  if (logits || !data.edit.scored) return;
  const [scores, weights] = ['.scores', '.weights'].map((scripts) => floats(all(scripts)));
  logits = new Logits(scores, weights, data.edit.labels, data.prototypes);
  const goOn = () => logits.sum(20) || setTimeout(goOn);
  setTimeout(goOn);
}

// Classes that had prototypes and have lost all of them.
function emptiedClasses() {
  const left = data.label.slice(0, data.prototypes).filter((_, prototype) => !edits.removed.has(prototype));
  const kept = new Set(left);
  return ascending(new Set([...edits.removed].map((prototype) => data.label[prototype])))
    .filter((label) => label >= 0 && !kept.has(label));
}

function showModel() {
  prepareLogits();
  if (logits && edits.removed.size) {
    logits.takeAway(edits.removed);
    data.confusion = logits.confusion();
  } else {
    data.confusion = asReported;
  }
  showAccuracy();
  showConfused();
  all('.class').forEach(showClass);
  all('.explained').forEach(showExplained);
  const plot = find('#plot-confusion');
  if (drawn.has(plot)) drawConfusion(plot);
}

function showAccuracy() {
  find('#accuracy').textContent = accuracy();
  find('#right-images').textContent = `${trace(data.confusion)} of ${data.edit.labels.length} test images`;
  find('#prototypes').textContent = data.prototypes - edits.removed.size;
}

// The most frequent mistakes, as the page lists them at first.
function showConfused() {
  const pairs = data.confusion.flatMap((row, actual) => row.map((count, taken) => ({actual, taken, count})))
    .filter(({actual, taken, count}) => count && actual !== taken)
    .sort((one, other) => other.count - one.count).slice(0, data.confused);
  const link = (label) => element('a', {href: `#class-${label}`, textContent: data.names[label]});
  find('.confused').replaceChildren(...pairs.map(({actual, taken, count}) => {
    const images = data.confusion[actual].reduce((a, b) => a + b, 0);
    return element('li', {}, `${count} of ${images} `, link(actual), ' as ', link(taken));
  }));
  find('.confused').parentElement.hidden = !pairs.length;
}

function showClass(details) {
  const label = Number(details.id.slice('class-'.length));
  const prototypes = details.dataset.prototypes.split(' ').filter(Boolean).map(Number);
  const left = prototypes.filter((prototype) => !edits.removed.has(prototype)).length;
  find('.count', details).textContent = `${left} prototypes`;
  find('.count', details).classList.toggle('bad', left === 0 && prototypes.length > 0);
  const right = find('.right', details);
  if (right) right.textContent = data.confusion[label][label];
}

// A line below what is said of the model as it is.
function showNow(after, text, className = '') {
  const next = after.nextElementSibling;
  const line = next?.classList.contains('now') ? next : element('span');
  line.className = `now ${className}`;
  line.textContent = text;
  line.hidden = !text;
  after.after(line);
}

function showExplained(details) {
  const image = Number(details.dataset.image);
  const changed = logits !== null && edits.removed.size > 0;
  showNow(find('.said', details), ...(changed ? predictionNow(image, details.dataset.predicted) : ['']));
  for (const sum of all('.sum', details)) {
    sum.classList.toggle('gone', changed);
    showNow(sum, changed ? sumNow(image, sum) : '');
  }
}

function predictionNow(image, before) {
  const label = logits.predicted(image);
  const probability = percent(logits.probability(image, label));
  if (label === Number(before)) return [`now ${probability}`];
  return [`now predicted: ${data.names[label]}, ${probability}`,
    label === data.edit.labels[image] ? 'good' : 'bad'];
}

// How the logit of the class that a sum is about comes about now.
function sumNow(image, sum) {
  const label = Number(sum.dataset.label);
  const kept = all('.matches > li', sum.parentElement).map((row) => Number(row.dataset.prototype))
    .filter((prototype) => !edits.removed.has(prototype));
  const points = kept.reduce((all, prototype) => all + logits.points(image, prototype, label), 0);
  const logit = logits.logit(image, label);
  return `Now ${kept.length} prototypes ${signed(points, 3)}, all others ${signed(logit - points, 3)}: `
    + `logit ${logit.toFixed(3)}, probability ${percent(logits.probability(image, label))}.`;
}
