import { describe, expect, it } from "vitest";
import * as texts from "../../src/kernels/wasm/binary.generated.js";
import { decode } from "../../src/kernels/wasm/decode.js";
import { copyStreams } from "../../src/kernels/wasm/streams.js";

const { frequent, ...modules } = texts;

describe.each(Object.entries(modules))("the module %s", (_, text) => {
  const module = decode(text);

  it("is a module, and a copy of its own each time", () => {
    expect(WebAssembly.validate(decode(text).fill(0))).toBe(false);
    expect(decode(text)).toEqual(module);
    expect([...module.subarray(0, 8)]).toEqual([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  });

  it("is the same after it was divided into streams and put together, and each byte is in one stream", () => {
    const streams = [0, 1, 2].map(() => new Uint8Array(module.length)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const lengths = copyStreams(module, streams, true);
    expect(lengths[0] + lengths[1] + lengths[2]).toBe(module.length);
    expect(Math.min(...lengths)).toBeGreaterThan(0);
    const again = new Uint8Array(module.length);
    expect(copyStreams(again, streams, false)).toEqual(lengths);
    expect(again).toEqual(module);
  });
});
