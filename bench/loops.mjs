// The loops in AssemblyScript that bound what a processor can do: multiply-adds on registers, and reading. They are
// compiled before the benchmark runs, because the compiler's own code would be optimized for seconds beside it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";

/** Chosen: more than the latency of a product and a sum, times the units of a processor that compute them. */
const ACCUMULATORS = 12;
/** Chosen: 2 GiB of the 4 GiB that a memory can have. */
const MOST_PAGES = 32_768;

/**
 * Reads memory as fast as one thread of WebAssembly can: 128 bytes a turn, summed in eight lanes so that no
 * addition waits for another.
 */
const reading = `
export function read(from: usize, bytes: usize): i64 {
  let a = i64x2.splat(0), b = a, c = a, d = a;
  for (let at = from, end = from + bytes; at < end; at += 128) {
    a = i64x2.add(a, i64x2.add(v128.load(at), v128.load(at, 64)));
    b = i64x2.add(b, i64x2.add(v128.load(at, 16), v128.load(at, 80)));
    c = i64x2.add(c, i64x2.add(v128.load(at, 32), v128.load(at, 96)));
    d = i64x2.add(d, i64x2.add(v128.load(at, 48), v128.load(at, 112)));
  }
  const sum = i64x2.add(i64x2.add(a, b), i64x2.add(c, d));
  return i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1);
}`;

const all = Array.from({ length: ACCUMULATORS }, (_, k) => `a${k}`);
// From memory, since engines make a constant anew for each instruction that takes it.
const operands = `const x = v128.load(at), y = v128.load(at, 16);
  ${all.map((a, k) => `let ${a} = v128.load(at, ${32 + 16 * k});`).join(" ")}`;
const total = (vector) => all.reduce((sum, a) => `${vector}.add(${sum}, ${a})`);

/** Multiply-adds on registers alone, ACCUMULATORS a turn: a ← a·x + y. */
function multiplyAdds(name, type, fused) {
  const vector = type === "f32" ? "f32x4" : "f64x2";
  const step = (a) =>
    fused
      ? `${a} = v128.relaxed_madd<${type}>(${a}, x, y);`
      : `${a} = ${vector}.add(${vector}.mul(${a}, x), y);`;
  return `
export function ${name}(turns: i32, at: usize): f64 {
  ${operands}
  for (let turn = 0; turn < turns; turn++) { ${all.map(step).join(" ")} }
  return <f64>${vector}.extract_lane(${total(vector)}, 0);
}`;
}

/**
 * What a pass of width two computes for each four numbers of bfloat16: a load and a shuffle, which decode them, and four
 * multiply-adds. The numbers lie in the first-level cache. 16 multiply-adds a turn, on eight sums.
 */
function decoding(fused) {
  const sums = all.slice(0, 8);
  const factors = ["x", "y", "p", "q"];
  const step = (a, x, r) =>
    fused
      ? `${a} = v128.relaxed_madd<f32>(${r}, ${x}, ${a});`
      : `${a} = f32x4.add(f32x4.mul(${r}, ${x}), ${a});`;
  const turn = [0, 1, 2, 3].map((g) =>
    [
      `const r${g} = v128.shuffle<u16>(zero, v128.load64_zero(from + ${8 * g}), 0, 8, 1, 9, 2, 10, 3, 11);`,
      ...factors.map((x, k) => step(sums[4 * (g % 2) + k], x, `r${g}`)),
    ].join(" "),
  );
  return `
export function decoding(turns: i32, at: usize): f64 {
  ${operands}
  const p = ${all[8]}, q = ${all[9]}, zero = i32x4.splat(0);
  for (let turn = 0; turn < turns; turn++) { const from = at + 256 + ((turn & 63) << 5); ${turn.join(" ")} }
  return <f64>f32x4.extract_lane(${sums.reduce((sum, a) => `f32x4.add(${sum}, ${a})`)}, 0);
}`;
}

const separate = [multiplyAdds("separate32", "f32", false), multiplyAdds("separate64", "f64", false)];
const fused = [multiplyAdds("fused32", "f32", true), multiplyAdds("fused64", "f64", true)];

const modules = {
  read: { source: reading, options: { sharedMemory: true, enable: ["simd", "threads"] } },
  roof: { source: [...separate, decoding(false)].join(""), options: { enable: ["simd"] } },
  "roof-fused": {
    source: [...separate, ...fused, decoding(true)].join(""),
    options: { enable: ["simd", "relaxed-simd"] },
  },
};

/**
 * Compiles the loops.
 *
 * @param {string} folder  where read.wasm, roof.wasm and roof-fused.wasm go
 */
export async function compileLoops(folder) {
  mkdirSync(folder, { recursive: true });
  for (const [name, { source, options }] of Object.entries(modules)) {
    const { error, binary, stderr } = await asc.compileString(source, {
      optimizeLevel: 3,
      noAssert: true,
      runtime: "stub",
      importMemory: true,
      maximumMemory: MOST_PAGES,
      ...options,
    });
    if (error || !binary) throw new Error(`${name} does not compile: ${stderr.toString()}`);
    writeFileSync(join(folder, `${name}.wasm`), binary);
  }
}
