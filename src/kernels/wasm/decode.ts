import { frequent } from "./binary.generated.js";
import { copyStreams } from "./streams.js";

/** The digits of the text are the characters from "#" to "~" but for the backslash. */
const FIRST = "#".charCodeAt(0);
const BACKSLASH = "\\".charCodeAt(0);
const BASE = 91;

/** The places of the second and the third stream, in two bytes each. */
const HEADER = 4;

/**
 * The module that `build/kernels.mjs` has written: its three streams (`streams.ts`), behind the places of the second and
 * the third, as text with a digit for each of the frequent bytes and two for each of the others.
 */
export function decode(text: string): Uint8Array<ArrayBuffer> {
  const known = decoded.get(text);
  if (known) return known.slice();
  const bytes = bytesOf(text);
  const module = new Uint8Array(bytes.length - HEADER);
  const [second, third] = [0, 2].map((at) => bytes[at] + 256 * bytes[at + 1]);
  copyStreams(module, [bytes.subarray(HEADER), bytes.subarray(second), bytes.subarray(third)], false);
  decoded.set(text, module);
  return module.slice();
}

/** A start asks for the same module twice: whether it can be compiled, and compiled. */
const decoded = new Map<string, Uint8Array<ArrayBuffer>>();

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const single = frequent.length;
  const order = new Set<number>();
  // Each character is the distance from the byte before.
  let last = -1;
  for (let i = 0; i < single; i++) {
    last += frequent.charCodeAt(i) - FIRST;
    order.add(last);
  }
  for (let byte = 0; byte < 256; byte++) order.add(byte);
  const byteAt = Uint8Array.from(order);

  const bytes = new Uint8Array(text.length);
  let length = 0;
  // The place of a byte in the order, or the first of the two digits of one.
  let first = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const digit = code - FIRST - (code > BACKSLASH ? 1 : 0);
    if (first === 0 && digit >= single) first = digit;
    else {
      bytes[length++] = byteAt[first === 0 ? digit : single + BASE * (first - single) + digit];
      first = 0;
    }
  }
  return bytes.slice(0, length);
}
