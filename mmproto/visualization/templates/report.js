'use strict';
const find = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const data = JSON.parse(find('#data').textContent);

// Thumbnails lie in chunks at the end of the page; a chunk is read when one of them is shown.
const chunks = new Map();
function thumbnail(address) {
  const number = Number(address.slice('thumb:'.length));
  const chunk = Math.floor(number / data.chunk);
  if (!chunks.has(chunk)) chunks.set(chunk, JSON.parse(all('.thumbnails')[chunk].textContent));
  return `data:image/webp;base64,${chunks.get(chunk)[number % data.chunk]}`;
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function image(address, alt, className = 'patch') {
  if (!address) return element('span', {className: `${className} dim`, textContent: 'no image'});
  return element('img', {className, alt, src: thumbnail(address)});
}

// What a section holds is put into the document when it is opened.
function fill(details) {
  const inert = details.dataset.inside && document.getElementById(details.dataset.inside);
  if (!inert) return;
  const {content} = element('template', {innerHTML: inert.textContent});
  for (const each of all('img[src^="thumb:"]', content)) {
    each.src = thumbnail(each.getAttribute('src'));
  }
  details.append(content);
  delete details.dataset.inside;
  details.dispatchEvent(new CustomEvent('filled', {bubbles: true}));
}
document.addEventListener('toggle', ({target}) => target.open && fill(target), true);

function fillStrip(strip) {
  const addresses = strip.dataset.images.split(' ').filter(Boolean);
  strip.replaceChildren(...addresses.map((address) => image(address, '')));
}

function whenNear(elements, act) {
  const observer = new IntersectionObserver((entries) => {
    for (const {target} of entries.filter((entry) => entry.isIntersecting)) {
      observer.unobserve(target);
      act(target);
    }
  }, {rootMargin: '300px'});
  elements.forEach((each) => observer.observe(each));
}
whenNear(all('.strip'), fillStrip);

// A link to a class or a prototype opens the class that it is in.
function goTo(hash) {
  const [, kind, number] = /^#(class|prototype)-(-?\d+)$/.exec(hash) ?? [];
  const details = kind === 'class' ? find(hash)
    : kind && find(`.class[data-prototypes~="${Number(number)}"]`);
  if (!details) return;
  details.hidden = false;
  details.open = true;
  fill(details);
  const target = kind === 'class' ? find('summary', details) : find(hash);
  target.scrollIntoView();
  target.focus({preventScroll: true});
}
document.addEventListener('click', (event) => {
  const to = event.target.closest('a[href^="#"]');
  if (to) setTimeout(() => goTo(to.hash));
});
window.addEventListener('popstate', () => goTo(location.hash));
document.addEventListener('DOMContentLoaded', () => goTo(location.hash));

// Search by a part of a class's name, or by a prototype's number.
const search = find('#search');
const classes = all('.class');
function filterClasses() {
  const wanted = search.value.trim().toLowerCase();
  for (const one of classes) {
    one.hidden = !one.dataset.name.includes(wanted)
      && !one.dataset.prototypes.split(' ').includes(wanted);
  }
  const found = classes.filter((one) => !one.hidden).length;
  find('#found').textContent = wanted && `${found} of ${classes.length} classes`;
}
search.addEventListener('input', filterClasses);
search.addEventListener('keydown', ({key}) => {
  const first = classes.find((one) => !one.hidden);
  if (key !== 'Enter' || !first) return;
  const number = search.value.trim();
  goTo(first.dataset.prototypes.split(' ').includes(number) ? `#prototype-${number}` : `#${first.id}`);
});

// The plots; their library is read when the first of them comes near.
const narrow = matchMedia('(max-width: 40rem)');
const dark = matchMedia('(prefers-color-scheme: dark)');
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
const buttons = ['zoomIn2d', 'zoomOut2d', 'resetScale2d'];
const drawn = new Map();

function draw(plot, traces, layout) {
  if (!window.Plotly) document.head.append(element('script', {textContent: find('#plotly').textContent}));
  const theme = {paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', hovermode: 'closest',
    font: {color: colour('--ink'), family: 'system-ui, sans-serif'},
    modebar: {bgcolor: 'rgba(0,0,0,0)', color: colour('--dim'), activecolor: colour('--accent')},
    // A finger scrolls the page.
    dragmode: matchMedia('(pointer: coarse)').matches ? false : 'pan'};
  const options = {displaylogo: false, responsive: true, displayModeBar: true, modeBarButtons: [buttons]};
  Plotly.react(plot, traces, {...theme, ...layout}, options);
}

function drawConfusion(plot) {
  const few = data.names.length <= 30 && !narrow.matches;
  const share = data.confusion.map((row) => {
    const sum = row.reduce((a, b) => a + b, 0) || 1;
    return row.map((count) => count / sum);
  });
  const axis = {showgrid: false, zeroline: false, automargin: true,
    ...(few ? {tickvals: data.names.map((_, i) => i), ticktext: data.names.map(escaped)}
      : {showticklabels: false})};
  draw(plot, [{type: 'heatmap', z: share, zmin: 0, zmax: 1, hoverinfo: 'none', xgap: few ? 1 : 0,
    ygap: few ? 1 : 0, colorscale: [[0, colour('--soft')], [0.01, dark.matches ? '#4a3f63' : '#d9d2e9'],
      [1, dark.matches ? '#c9b3ff' : '#4b2a91']],
    colorbar: {thickness: 10, tickformat: '.0%', outlinewidth: 0}}],
  {margin: {l: 30, r: 10, t: 40, b: 30}, xaxis: {...axis, tickangle: -45, title: {text: 'predicted'}},
    yaxis: {...axis, title: {text: 'true'}, autorange: 'reversed'}});
}

const prototypes = data.prototypes;
const hue = (label) => label < 0 ? 'hsl(0, 0%, 55%)'
  : `hsl(${Math.round(label * 137.5) % 360}, 65%, ${[40, 55, 68][label % 3]}%)`;

function points(from, to, marker) {
  return {type: 'scatter', mode: 'markers', hoverinfo: 'none', showlegend: false,
    x: data.x.slice(from, to), y: data.y.slice(from, to),
    marker: {color: data.label.slice(from, to).map(hue), ...marker}};
}

const diamond = prototypes > 300 ? 6 : 10;
let chosen = null;
function drawMap(plot) {
  const ring = {size: 20, symbol: 'circle-open', color: colour('--ink'), line: {width: 3}};
  const at = chosen === null ? [] : [chosen];
  const edge = {width: 1, color: colour('--ink')};
  draw(plot, [
    points(prototypes, undefined, {size: 5, opacity: 0.6}),
    points(0, prototypes, {size: diamond, symbol: 'diamond', line: edge}),
    {type: 'scatter', mode: 'markers', hoverinfo: 'skip', showlegend: false, marker: ring,
      x: at.map((i) => data.x[i]), y: at.map((i) => data.y[i])},
  ], {margin: {l: 5, r: 5, t: 40, b: 5}, uirevision: 'kept',
    xaxis: {visible: false}, yaxis: {visible: false}});
}

function describe(i) {
  const name = data.names[data.label[i]] ?? 'no class';
  if (i < prototypes) return `Prototype ${i}${quoted(nameOf(i))}, ${name}`;
  const [split, number] = data.patches[i - prototypes];
  return `${name}, ${data.splits[split]} image ${number}`;
}

// A point's nearest neighbours in the latent space.
function choose(i) {
  const panel = find('#neighbours');
  const inside = panel.contains(document.activeElement);
  chosen = i;
  find('#point').value = i < prototypes ? i : '';
  const title = element('h3', {tabIndex: -1, textContent: describe(i)});
  const list = element('ol', {className: 'neighbours'}, ...data.neighbours[i].map((j) => {
    const button = element('button', {}, image(data.images[j], ''), element('span', {}, describe(j)));
    button.dataset.point = j;
    return element('li', {}, button);
  }));
  const to = element('a', {href: `#prototype-${i}`, textContent: 'All about it'});
  panel.replaceChildren(title, image(data.images[i], 'Its patch', 'thumb'),
    ...(i < prototypes ? [element('p', {}, to)] : []),
    element('p', {className: 'dim', textContent: 'Nearest in the latent space:'}), list);
  if (inside) title.focus();
  if (drawn.has(find('#plot-map'))) drawMap(find('#plot-map'));
}
document.addEventListener('click', ({target}) => {
  const button = target.closest('button[data-point]');
  if (!button) return;
  choose(Number(button.dataset.point));
  if (!button.classList.contains('to-map')) return;
  find('#map').scrollIntoView();
  find('#neighbours h3').focus({preventScroll: true});
});
find('#point').addEventListener('change', ({target}) => target.value && choose(Number(target.value)));

// What lies under the pointer.
const tip = find('#tip');
function showTip({event}, ...children) {
  tip.replaceChildren(...children);
  tip.hidden = false;
  const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, room))}px`;
  tip.style.top = `${Math.max(4, event.clientY - tip.offsetHeight - 14)}px`;
}
const hideTip = () => { tip.hidden = true; };
document.addEventListener('scroll', hideTip, {passive: true});

// Plotly prefers the smaller point, but a patch below a diamond cannot be seen: the prototype is meant.
function pointed({curveNumber, pointNumber, xaxis, yaxis}) {
  if (curveNumber) return pointNumber;
  const patch = prototypes + pointNumber;
  const off = (axis, places, i) => Math.abs(axis.d2p(places[i]) - axis.d2p(places[patch]));
  const away = data.x.slice(0, prototypes).map((_, i) => off(xaxis, data.x, i) + off(yaxis, data.y, i));
  const nearest = away.indexOf(Math.min(...away));
  return away[nearest] < 0.65 * diamond ? nearest : patch; // how far plotly draws a diamond's tips
}

const plots = new Map([
  [find('#plot-confusion'), [drawConfusion, (plot) => plot.on('plotly_hover', (hover) => {
    const {x, y} = hover.points[0];
    showTip(hover, `${data.confusion[y][x]} ${data.names[y]} taken for ${data.names[x]}`);
  })]],
  [find('#plot-map'), [drawMap, (plot) => {
    plot.on('plotly_hover', (hover) => {
      const i = pointed(hover.points[0]);
      showTip(hover, image(data.images[i], '', 'thumb'), describe(i));
    });
    plot.on('plotly_click', ({points: [point]}) => choose(pointed(point)));
  }]],
]);
function start(plot) {
  if (drawn.has(plot)) return;
  const [drawPlot, listen] = plots.get(plot);
  drawPlot(plot);
  drawn.set(plot, drawPlot);
  listen(plot);
  plot.on('plotly_unhover', hideTip);
}
whenNear([...plots.keys()], start);
const redraw = () => drawn.forEach((drawPlot, plot) => drawPlot(plot));
dark.addEventListener('change', redraw);
narrow.addEventListener('change', redraw);
window.addEventListener('beforeprint', () => {
  all('.strip').forEach(fillStrip);
  all('.group').forEach((group) => { group.open = true; });
  [...plots.keys()].forEach(start);
});
