// The routine of convolutions. Results stay in registers while the terms are added: four channels of four numbers, or one
// channel of sixteen. Loads need not be aligned.
import { madd } from "./simd";

/** Bytes of four numbers. */
const FOUR: usize = 32;

/** Four numbers of a row in each of four channels. */
@inline
function fourByFour(out: usize, channels: usize, from: usize, offsets: usize, weights: usize, count: usize): void {
  const out1 = out + channels, out2 = out1 + channels, out3 = out2 + channels;
  let a0 = v128.load(out), b0 = v128.load(out, 16);
  let a1 = v128.load(out1), b1 = v128.load(out1, 16);
  let a2 = v128.load(out2), b2 = v128.load(out2, 16);
  let a3 = v128.load(out3), b3 = v128.load(out3, 16);
  for (let end = offsets + 4 * count; offsets < end; offsets += 4, weights += FOUR) {
    const p = from + <usize>load<i32>(offsets);
    const x = v128.load(p), y = v128.load(p, 16);
    let w = v128.load64_splat(weights);
    a0 = madd<f64>(w, x, a0);
    b0 = madd<f64>(w, y, b0);
    w = v128.load64_splat(weights, 8);
    a1 = madd<f64>(w, x, a1);
    b1 = madd<f64>(w, y, b1);
    w = v128.load64_splat(weights, 16);
    a2 = madd<f64>(w, x, a2);
    b2 = madd<f64>(w, y, b2);
    w = v128.load64_splat(weights, 24);
    a3 = madd<f64>(w, x, a3);
    b3 = madd<f64>(w, y, b3);
  }
  v128.store(out, a0);
  v128.store(out, b0, 16);
  v128.store(out1, a1);
  v128.store(out1, b1, 16);
  v128.store(out2, a2);
  v128.store(out2, b2, 16);
  v128.store(out3, a3);
  v128.store(out3, b3, 16);
}

/** Sixteen numbers of a row in one channel. */
@inline
function sixteen(out: usize, from: usize, offsets: usize, weights: usize, count: usize): void {
  let a = v128.load(out), b = v128.load(out, 16), c = v128.load(out, 32), d = v128.load(out, 48);
  let e = v128.load(out, 64), f = v128.load(out, 80), g = v128.load(out, 96), h = v128.load(out, 112);
  for (let end = offsets + 4 * count; offsets < end; offsets += 4, weights += 8) {
    const p = from + <usize>load<i32>(offsets);
    const w = v128.load64_splat(weights);
    a = madd<f64>(w, v128.load(p), a);
    b = madd<f64>(w, v128.load(p, 16), b);
    c = madd<f64>(w, v128.load(p, 32), c);
    d = madd<f64>(w, v128.load(p, 48), d);
    e = madd<f64>(w, v128.load(p, 64), e);
    f = madd<f64>(w, v128.load(p, 80), f);
    g = madd<f64>(w, v128.load(p, 96), g);
    h = madd<f64>(w, v128.load(p, 112), h);
  }
  v128.store(out, a);
  v128.store(out, b, 16);
  v128.store(out, c, 32);
  v128.store(out, d, 48);
  v128.store(out, e, 64);
  v128.store(out, f, 80);
  v128.store(out, g, 96);
  v128.store(out, h, 112);
}

/** Four numbers of a row in one channel. */
@inline
function four(out: usize, from: usize, offsets: usize, weights: usize, count: usize): void {
  let a = v128.load(out), b = v128.load(out, 16);
  for (let end = offsets + 4 * count; offsets < end; offsets += 4, weights += 8) {
    const p = from + <usize>load<i32>(offsets);
    const w = v128.load64_splat(weights);
    a = madd<f64>(w, v128.load(p), a);
    b = madd<f64>(w, v128.load(p, 16), b);
  }
  v128.store(out, a);
  v128.store(out, b, 16);
}

export function stencil(
  out: usize, rowsOut: usize, channelsOut: usize, from: usize, rowsFrom: usize, rows: usize, cols: usize,
  offsets: usize, weights: usize, count: usize, height: usize,
): void {
  const bytes: usize = cols * 8;
  for (; rows > 0; rows--, out += rowsOut, from += rowsFrom) {
    let j: usize = 0;
    if (height == 4) {
      for (; j < bytes; j += FOUR) fourByFour(out + j, channelsOut, from + j, offsets, weights, count);
    } else {
      for (; j + 96 < bytes; j += 128) sixteen(out + j, from + j, offsets, weights, count);
      for (; j < bytes; j += FOUR) four(out + j, from + j, offsets, weights, count);
    }
  }
}
