'use strict';
// The logits of the test images, followed as prototypes are taken away and put back.

// Numbers lie in the page as little-endian fp32 in base64, in pieces.
function floats(scripts) {
  const pieces = scripts.map((script) => atob(script.textContent));
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    for (let i = 0; i < piece.length; i += 1) bytes[at + i] = piece.charCodeAt(i);
    at += piece.length;
  }
  return new Float32Array(bytes.buffer);
}

const greatest = (numbers) => numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0);

// Adding this to a product and taking it away rounds the product to a multiple of a power of two,
// as fine as lets no sum of such multiples round. So sums do not depend on the order, what is put
// back leaves no trace, and a class that has lost all its points has a logit of exactly 0.
function rounder(scores, weights, prototypes) {
  const bound = Math.max(prototypes * greatest(scores) * greatest(weights), Number.MIN_VALUE);
  return 1.5 * 2 ** Math.max(Math.ceil(Math.log2(bound)) + 1, -900);
}

// The classes that a prototype has a connection to, and the weights of these, by prototype.
function connections(weights, prototypes) {
  const classes = weights.length / prototypes;
  return Array.from({length: prototypes}, (_, prototype) => {
    const all = weights.subarray(prototype * classes, (prototype + 1) * classes);
    const connected = Uint32Array.from(all.keys()).filter((k) => all[k] !== 0);
    return [connected, Float64Array.from(connected, (k) => all[k])];
  });
}

class Logits {
  // scores (N, P), weights (P, K), labels (N,)
  constructor(scores, weights, labels, prototypes) {
    this.classes = weights.length / prototypes;
    this.connections = connections(weights, prototypes);
    this.rounder = rounder(scores, weights, prototypes);
    this.sums = new Float64Array(labels.length * this.classes);
    this.summed = 0;  // images whose sums are made
    this.away = new Set();  // prototypes whose points are not in the sums
    Object.assign(this, {scores, weights, labels, prototypes});
  }

  points(image, prototype, label) {
    return this.scores[image * this.prototypes + prototype] * this.weights[prototype * this.classes + label];
  }

  // Adds the points of a prototype to the sums of an image, with that sign.
  add(image, prototype, sign) {
    const {sums, rounder: round} = this;
    const [connected, weights] = this.connections[prototype];
    const score = sign * this.scores[image * this.prototypes + prototype];
    const from = image * this.classes;
    for (let i = 0; i < connected.length; i += 1) {
      sums[from + connected[i]] += (score * weights[i] + round) - round;
    }
  }

  // Makes the sums of all prototypes, for so many milliseconds; tells whether they are made.
  sum(milliseconds = Infinity) {
    const until = performance.now() + milliseconds;
    for (; this.summed < this.labels.length; this.summed += 1) {
      if (performance.now() > until) return false;
      for (let prototype = 0; prototype < this.prototypes; prototype += 1) this.add(this.summed, prototype, 1);
    }
    return true;
  }

  // Brings the sums to those without some prototypes.
  takeAway(removed) {
    this.sum();
    for (let prototype = 0; prototype < this.prototypes; prototype += 1) {
      if (this.away.has(prototype) === removed.has(prototype)) continue;
      const sign = removed.has(prototype) ? -1 : 1;
      for (let image = 0; image < this.labels.length; image += 1) this.add(image, prototype, sign);
    }
    this.away = new Set(removed);
  }

  // Of several greatest logits the first one wins, as in torch.
  predicted(image) {
    const from = image * this.classes;
    let best = 0;
    for (let k = 1; k < this.classes; k += 1) if (this.sums[from + k] > this.sums[from + best]) best = k;
    return best;
  }

  logit(image, label) { return this.sums[image * this.classes + label]; }

  probability(image, label) {
    const logits = this.sums.subarray(image * this.classes, (image + 1) * this.classes);
    return 1 / logits.reduce((sum, logit) => sum + Math.exp(logit - logits[label]), 0);
  }

  // Images by true class (rows) and predicted class.
  confusion() {
    const matrix = Array.from({length: this.classes}, () => new Array(this.classes).fill(0));
    this.labels.forEach((label, image) => { matrix[label][this.predicted(image)] += 1; });
    return matrix;
  }
}
