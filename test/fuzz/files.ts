import assert from "node:assert/strict";
import fc from "fast-check";
import { allocations, mutations } from "../files/hostile.js";
import { join } from "../files/writers.js";
import { ORIGINALS } from "./originals.js";

/** A file of a valid set, and what became of it. */
export interface Mutated {
  readonly original: number;
  readonly file: string;
  readonly bytes: Uint8Array;
  /** the name by which the set is read, right or wrong */
  readonly name: string;
}

export const mutated: fc.Arbitrary<Mutated> = fc.nat({ max: ORIGINALS.length - 1 }).chain((original) => {
  const { files, main } = ORIGINALS[original];
  return fc.constantFrom(...Object.keys(files)).chain((file) => {
    const bytes = files[file];
    return fc.record({
      original: fc.constant(original),
      file: fc.constant(file),
      bytes: fc.oneof(
        { weight: 12, arbitrary: mutations(bytes) },
        // The head of the file alone, or something put behind it.
        { weight: 1, arbitrary: fc.nat({ max: bytes.length }).map((length) => bytes.slice(0, length)) },
        {
          weight: 1,
          arbitrary: fc.uint8Array({ maxLength: 40 }).map((more) => join(bytes, Uint8Array.from(more))),
        },
      ),
      // Read as what it is, as what its bytes say, or as something else.
      name:
        file === main
          ? fc.constantFrom(
              main,
              main,
              main,
              "unnamed",
              ...["npy", "npz", "mtx", "csv", "mat"].map((x) => `x.${x}`),
            )
          : fc.constant(main),
    });
  });
});

/**
 * What may be allocated at once for every byte of a file: deflate makes 1032 bytes of one, and text a number of eight
 * bytes of two, in lists that double as they grow.
 */
const TIMES = { packed: 1032 * 8, plain: 32 };
/** Buffers of a fixed size, and the table of all float16 numbers. */
const LEAST = 2 ** 18;
/**
 * A file takes milliseconds. Time of the processor, all threads of this process together: what other processes take
 * does not count.
 */
const LIMIT_SECONDS = 20;
/** What a compressed member may come to where nobody says how much memory there is, with the numbers made of it. */
const inflated = (size: number) => 2 * Math.max(2 ** 26, 16 * size);

/**
 * Throws where reading ends in anything but an answer or an error that says what is wrong, takes too long, or asks for
 * too much memory. Returns what it came to.
 */
export function read({ original, file, bytes, name }: Mutated): string {
  const { files, main, read } = ORIGINALS[original];
  const all = { ...files, [file]: bytes, ...(name === main ? {} : { [name]: bytes }) };
  const before = bytes.slice();
  const size = Object.values(all).reduce((sum, { length }) => sum + length, 0);
  const begin = process.cpuUsage();
  let result = "";
  const { largest, total } = allocations(() => {
    result = read(all, name);
  });
  const { user, system } = process.cpuUsage(begin);
  assert.ok((user + system) / 1e6 < LIMIT_SECONDS, "takes too long");
  const packed = /(npz|gz|mat|packed\.pt|h5|keras|unnamed)$/.test(name);
  const most = Math.max(LEAST, packed ? Math.min(size * TIMES.packed, inflated(size)) : size * TIMES.plain);
  assert.ok(largest <= most, `allocates ${largest} bytes at once for files of ${size}`);
  // Each tensor and each entry of an archive has its own.
  assert.ok(total <= 16 * most, `allocates ${total} bytes in all for files of ${size}`);
  assert.ok(Buffer.compare(bytes, before) === 0, "the file is unchanged");
  return result;
}
