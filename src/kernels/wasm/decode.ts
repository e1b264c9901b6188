import { frequent } from "./binary.generated.js";

/** The digits of the text are the characters from "#" to "~" but for the backslash. */
const FIRST = "#".charCodeAt(0);
const BACKSLASH = "\\".charCodeAt(0);
const BASE = 91;

/**
 * The bytes of a module, as `build/kernels.mjs` has written them: a digit for each of the frequent bytes, two for each
 * of the others.
 */
export function decode(text: string): Uint8Array<ArrayBuffer> {
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

  let at = 0;
  const digit = () => {
    const code = text.charCodeAt(at++);
    return code - FIRST - (code > BACKSLASH ? 1 : 0);
  };
  const bytes = new Uint8Array(text.length);
  let length = 0;
  while (at < text.length) {
    const first = digit();
    bytes[length++] = byteAt[first < single ? first : single + BASE * (first - single) + digit()];
  }
  return bytes.slice(0, length);
}
