'use strict';
// What a person has decided, and the file that it is saved in.
const edits = {removed: new Set(), forbidden: new Map(), names: new Map(), onlyOnObjects: false};
const NAME_BYTES = 64;  // what a checkpoint keeps of a name
const nameOf = (prototype) => edits.names.get(prototype) ?? data.edit.names[prototype];
const quoted = (name) => name && ` “${name}”`;
const ascending = (numbers) => [...numbers].sort((a, b) => a - b);

function setDecision(prototype, isSet, decisions, value) {
  if (!isSet) decisions.delete(prototype);
  else if (decisions instanceof Set) decisions.add(prototype);
  else decisions.set(prototype, value);
}

function setName(prototype, text) {
  let name = text.replace(/\p{Cc}/gu, ' ').trim();
  while (new TextEncoder().encode(name).length > NAME_BYTES) name = [...name].slice(0, -1).join('');
  setDecision(prototype, name !== data.edit.names[prototype], edits.names, name);
}

function clearEdits() {
  for (const decisions of [edits.removed, edits.forbidden, edits.names]) decisions.clear();
  edits.onlyOnObjects = false;
}

const isEdited = () => edits.onlyOnObjects
  || [edits.removed, edits.forbidden, edits.names].some((decisions) => decisions.size > 0);

function editsFile() {
  return {
    model: data.edit.model,
    checkpoint: data.edit.checkpoint,
    remove: ascending(edits.removed),
    forbid: ascending(edits.forbidden.keys())
      .map((prototype) => ({prototype, radius: edits.forbidden.get(prototype)})),
    only_on_objects: edits.onlyOnObjects,
    names: Object.fromEntries(edits.names),
  };
}

// Takes the place of all edits; throws what is wrong with the file, in words, and changes nothing.
function readEdits(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error('This is no JSON file.');
  }
  // What is left out decides nothing, as in tools/edit.py.
  if (isObject(file)) file = {remove: [], forbid: [], only_on_objects: false, names: {}, ...file};
  checkEdits(file);
  clearEdits();
  for (const prototype of file.remove) edits.removed.add(prototype);
  for (const {prototype, radius} of file.forbid) edits.forbidden.set(prototype, radius ?? 0);
  for (const [prototype, name] of Object.entries(file.names)) setName(Number(prototype), name);
  edits.onlyOnObjects = file.only_on_objects;
}

const isObject = (value) => typeof value === 'object' && value !== null;

function checkEdits(file) {
  const isPrototype = (number) => Number.isInteger(number) && number >= 0 && number < data.prototypes;
  const isRadius = (radius) => radius === undefined || Number.isFinite(radius) && radius >= 0;
  if (typeof file?.model !== 'string') throw new Error('This is no edits.json: it names no model.');
  if (file.model !== data.edit.model) {
    throw new Error(`These are edits of another model, ${file.checkpoint}: its prototypes are others.`);
  }
  const fields = {
    remove: Array.isArray(file.remove) && file.remove.every(isPrototype),
    forbid: Array.isArray(file.forbid)
      && file.forbid.every((one) => isPrototype(one?.prototype) && isRadius(one.radius)),
    only_on_objects: typeof file.only_on_objects === 'boolean',
    names: isObject(file.names) && Object.entries(file.names)
      .every(([number, name]) => /^\d+$/.test(number) && isPrototype(Number(number)) && typeof name === 'string'),
  };
  const wrong = Object.keys(fields).find((name) => !fields[name]);
  if (wrong) throw new Error(`“${wrong}” of this file is not as the page would have saved it.`);
}
