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

class Logits {
  // scores (N, P), weights (P, K), labels (N,)
  constructor(scores, weights, labels, prototypes) {
    this.classes = weights.length / prototypes;
    this.rounder = rounder(scores, weights, prototypes);
    this.sums = new Float64Array(labels.length * this.classes);
    this.counted = new Set();  // the prototypes whose points are in the sums
    Object.assign(this, {scores, weights, labels, prototypes});
  }

  points(image, prototype, label) {
    return this.scores[image * this.prototypes + prototype] * this.weights[prototype * this.classes + label];
  }

  // Adds the points of a prototype to every image's sums, or takes them away.
  toggle(prototype) {
    const sign = this.counted.delete(prototype) ? -1 : 1;
    if (sign > 0) this.counted.add(prototype);
    const {classes, prototypes, rounder: round, scores, sums, weights} = this;
    const from = prototype * classes;
    const connected = [];
    for (let k = 0; k < classes; k += 1) if (weights[from + k] !== 0) connected.push(k);
    for (let image = 0; image < this.labels.length; image += 1) {
      const score = sign * scores[image * prototypes + prototype];
      for (const k of connected) sums[image * classes + k] += (score * weights[from + k] + round) - round;
    }
  }

  // Brings the sums nearer to those without some prototypes, for so many milliseconds; tells
  // whether they are there.
  follow(removed, milliseconds = Infinity) {
    const until = performance.now() + milliseconds;
    for (let prototype = 0; prototype < this.prototypes; prototype += 1) {
      if (this.counted.has(prototype) !== removed.has(prototype)) continue;
      if (performance.now() > until) return false;
      this.toggle(prototype);
    }
    return true;
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
