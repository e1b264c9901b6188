// Compiles the AssemblyScript kernels and inlines them as text in an ES module: that works unchanged in
// Node, in browsers and under bundlers, which a URL beside the module does not. The text is ASCII, because bundlers
// escape other characters, and gives each of the most frequent bytes a character of its own, so that gzip finds the
// repeats in it. For the same reason, addresses and local variables are kept apart (`src/kernels/wasm/streams.ts`).
// `src/kernels/wasm/decode.ts` reads it.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import asc from "assemblyscript/asc";
import { build } from "esbuild";

const source = "src/kernels/wasm/assembly";
const target = "src/kernels/wasm/binary.generated.ts";
const scratch = join(tmpdir(), `kernels-${process.pid}`);

const builds = [
  // Loops are inlined where the source says so. With marks for multiply-add: `src/kernels/wasm/multiply-add.ts`.
  { name: "kernels", entry: "kernels.ts", features: ["simd", "relaxed-simd"], flags: ["--shrinkLevel", "1"] },
  // Asked for by name, so that bundles without singular values leave it out.
  { name: "svd", entry: "svd.ts", features: ["simd", "relaxed-simd"] },
  // Never relaxed: a proof counts roundings.
  { name: "proof", entry: "proof.ts", features: ["simd"] },
  // The same for complex matrices; bundles for real ones leave it out.
  { name: "hermitian", entry: "hermitian.ts", features: ["simd"] },
  // For convolutions; bundles without them leave it out.
  { name: "stencil", entry: "stencil.ts", features: ["simd", "relaxed-simd"] },
];

/** The characters from "#" to "~" but for the backslash: all that a string in quotation marks need not escape. */
const DIGITS = Array.from({ length: 92 }, (_, i) => String.fromCharCode(35 + i)).filter((c) => c !== "\\");
/** A module of the sources, which this Node may not read as they are. */
async function imported(path) {
  const { outputFiles } = await build({ entryPoints: [path], bundle: true, write: false, format: "esm" });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

/** A module in three streams, as `decode` reads them. */
function inStreams(module, copyStreams) {
  const streams = [0, 1, 2].map(() => new Uint8Array(module.length));
  const lengths = copyStreams(module, streams, true);
  const second = 4 + lengths[0];
  const third = second + lengths[1];
  const header = [second & 255, second >> 8, third & 255, third >> 8];
  return [...header, ...streams.flatMap((stream, i) => [...stream.subarray(0, lengths[i])])];
}

/** The digits that stand for a byte alone; each of the others is the first of two. */
const SINGLE = DIGITS.length - 2;

/** The most frequent bytes, as many as there are single digits, in ascending order. */
function frequentBytes(modules) {
  const counts = new Array(256).fill(0);
  for (const bytes of modules) for (const byte of bytes) counts[byte]++;
  const bytes = [...counts.keys()].sort((a, b) => counts[b] - counts[a] || a - b);
  return bytes.slice(0, SINGLE).sort((a, b) => a - b);
}

function encoded(bytes, frequent) {
  const order = [...new Set([...frequent, ...Array(256).keys()])];
  const digitsOf = order.map((_, i) => {
    const beyond = i - SINGLE;
    if (beyond < 0) return DIGITS[i];
    return DIGITS[SINGLE + Math.floor(beyond / DIGITS.length)] + DIGITS[beyond % DIGITS.length];
  });
  return Array.from(bytes, (byte) => digitsOf[order.indexOf(byte)]).join("");
}

/** Of the instructions that may be between a marked product and its sum, how many values each takes from the stack. */
const TAKES = [
  [/^local\.get |\.const /, 0],
  [/^local\.tee |\.load|\.splat|\.promote|\.neg/, 1],
  [/\.(add|mul|and|shr_s|relaxed_max|relaxed_min)$|^i8x16\.shuffle /, 2],
];

/** What is between a marked product and its sum must leave one value and not touch the product. */
function checkMarks(bytes, text) {
  const lines = text.split("\n").map((line) => line.trim());
  // For each product whose sum is still to come: the values that the code since then has on the stack.
  const open = [];
  let products = 0;
  for (const line of lines) {
    if (/relaxed_min$/.test(line)) {
      if (open.pop() !== 1) throw new Error(`not a sum of a marked product: ${line}`);
      if (open.length > 0) open[open.length - 1]++;
    } else if (open.length > 0) {
      const takes = TAKES.find(([pattern]) => pattern.test(line))?.[1];
      const left = open[open.length - 1] - takes;
      if (!(left >= 0)) throw new Error(`between a marked product and its sum: ${line}`);
      open[open.length - 1] = left + 1;
    }
    if (/relaxed_max$/.test(line)) {
      products++;
      if (open.length > 0) open[open.length - 1]--;
      open.push(0);
    }
  }
  const hex = bytes.toString("hex");
  const found = [...hex.matchAll(/fd(8d|8e|8f|90)02/g)].filter(({ index }) => index % 2 === 0).length;
  if (open.length > 0 || found !== 2 * products)
    throw new Error(`${products} marked products, but ${found} marks`);
}

async function compiled({ name, entry, features, flags = [] }) {
  const out = join(scratch, `${name}.wasm`);
  const text = join(scratch, `${name}.wat`);
  const { error, stderr } = await asc.main([
    join(source, entry),
    ...[
      "--outFile",
      out,
      "--textFile",
      text,
      "-O3",
      ...flags,
      "--converge",
      // Not fewer bytes, but more that repeat, so that they compress better.
      "--runPasses",
      "reorder-locals",
      "--noAssert",
      "--runtime",
      "stub",
      "--importMemory",
      "--noExportMemory",
      "--maximumMemory",
      "65536",
    ],
    ...features.flatMap((feature) => ["--enable", feature]),
  ]);
  if (error) {
    console.error(stderr.toString());
    process.exit(1);
  }
  const bytes = readFileSync(out);
  checkMarks(bytes, readFileSync(text, "utf8"));
  return bytes;
}

mkdirSync(scratch, { recursive: true });
const modules = [];
const { copyStreams } = await imported("src/kernels/wasm/streams.ts");
for (const one of builds) modules.push(await compiled(one));
// For the command alone, so that the package does not carry them.
const ofCommand = [
  { name: "squares", target: "src/audit/squares.generated.ts" },
  { name: "dequantize", target: "src/files/dequantize.generated.ts" },
];
for (const one of ofCommand)
  one.bytes = await compiled({ name: one.name, entry: `${one.name}.ts`, features: ["simd"] });
rmSync(scratch, { recursive: true });

const coded = modules.map((bytes) => inStreams(bytes, copyStreams));
const frequent = frequentBytes(coded);
// As distances, which are small and repeat.
const distances = frequent
  .map((byte, i) => String.fromCharCode(35 + byte - (frequent[i - 1] ?? -1)))
  .join("");
let module = `// Made by build/kernels.mjs.\nexport const frequent: string = ${JSON.stringify(distances)};\n`;
builds.forEach(({ name }, i) => {
  module += `export const ${name}: string =\n  ${JSON.stringify(encoded(coded[i], frequent))};\n`;
});
writeFileSync(target, module);
const written = await imported(target);
const { decode } = await imported("src/kernels/wasm/decode.ts");
builds.forEach(({ name }, i) => {
  if (!modules[i].equals(decode(written[name])))
    throw new Error(`${name}: is not what was compiled when decoded`);
});

for (const { name, target, bytes } of ofCommand)
  writeFileSync(
    target,
    `// Made by build/kernels.mjs.\nexport const ${name}: string =\n  ${JSON.stringify(bytes.toString("base64"))};\n`,
  );
