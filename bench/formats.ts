// npm run bench:formats [-- --layers 1 --rounds 3 --threads 2 --mean 0.05 --folder DIR]: `spectral-norm audit` of the same
// number of weights in several formats, in turn, by the time of bfloat16, and the peak of its memory beside the largest
// matrix as the kernels hold it. The matrices are those of a layer of a transformer of 7·10⁹ parameters.
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { normalBits, randomWords, timedAudit } from "./audit-run.js";
import { commandLine } from "./command-line.js";

const SHAPES = [
  [4096, 4096],
  [4096, 4096],
  [11008, 4096],
  [4096, 11008],
] as const;

/** Chosen targets: the most time, by that of bfloat16, and the most memory beside the largest matrix. */
const MOST = { ratio: 1.2, bytes: 300e6 };

const values = commandLine({
  layers: { type: "string", default: "1" },
  rounds: { type: "string", default: "3" },
  threads: { type: "string", default: String(availableParallelism()) },
  /** of the weights, in standard deviations; a larger one takes fewer passes */
  mean: { type: "string", default: "0.05" },
  folder: { type: "string", default: tmpdir() },
});
const matrices = Array.from({ length: Number(values.layers) }, () => SHAPES).flat();
const largest = Math.max(...SHAPES.map(([m, n]) => m * n));
const mean = Number(values.mean);

/** A model in one format. */
interface Format {
  readonly name: string;
  readonly file: string;
  /** bytes of a number in kernel memory */
  readonly held: number;
  write(path: string): void;
}

/** Writes the bytes of a matrix, which `unit` gives a few at a time. */
type Units = (write: (bytes: Uint8Array) => void, count: number) => void;

const word = randomWords(1);
const quantiles = new Float32Array(Uint32Array.from(normalBits(), (bits) => bits << 16).buffer).map(
  (x) => x * 64,
);

/** Independent normal numbers of the given mean and variance 1, encoded by a table over their 65,536 quantiles. */
function coded<T extends Uint8Array | Uint16Array>(table: T): Units {
  return (write, count) => {
    const block = table.slice(0, 65536);
    for (let left = count; left > 0; left -= block.length) {
      for (let i = 0; i < block.length; i++) block[i] = table[word() >>> 16];
      write(new Uint8Array(block.buffer, 0, Math.min(left, block.length) * block.BYTES_PER_ELEMENT));
    }
  };
}

const asBfloat16 = coded(
  Uint16Array.from(new Uint32Array(quantiles.map((x) => x + mean).buffer), (bits) => bits >>> 16),
);
/** The nearest E4M3 of 16 times the number, by its definition. */
const asE4m3 = coded(
  Uint8Array.from(quantiles, (x) => {
    const size = Math.min(448, Math.abs(16 * (x + mean)));
    const exponent = Math.max(-6, Math.floor(Math.log2(size)));
    return (
      (x + mean < 0 ? 128 : 0) +
      Math.round((size / 2 ** exponent - (exponent > -6 ? 1 : 0)) * 8) +
      8 * (exponent + (exponent > -6 ? 7 : 6))
    );
  }),
);
/** Blocks of 256 numbers: d = 2⁻¹⁰, dmin = 7.5·d less the mean, equal scales and minima, random quanta. */
const asQ4k: Units = (write, count) => {
  const blocks = new Uint8Array(144 * 1024);
  const words = new Uint32Array(blocks.buffer);
  for (let left = count / 256; left > 0; left -= 1024) {
    for (let i = 0; i < words.length; i++) words[i] = word();
    for (let at = 0; at < blocks.length; at += 144) {
      blocks.set([0x00, 0x14, ...halfBytes((7.5 - 4.6 * mean) * 2 ** -10)], at);
      for (let k = 0; k < 12; k++) blocks[at + 4 + k] = k < 8 ? 0x20 | (word() & 15) : 0;
      // Minima like the scales: the first four of each six bits, the others made equal in both halves.
      for (let k = 0; k < 4; k++) {
        blocks[at + 4 + k] = 0xa0 | (word() & 15);
        blocks[at + 8 + k] = blocks[at + 4 + k];
        blocks[at + 12 + k] = 17 * (word() & 15);
      }
    }
    write(blocks.subarray(0, 144 * Math.min(left, 1024)));
  }
};

function halfBytes(x: number): [number, number] {
  const exponent = Math.floor(Math.log2(x));
  const bits = ((exponent + 15) << 10) | Math.round((x / 2 ** exponent - 1) * 1024);
  return [bits & 255, bits >> 8];
}

function safetensors(dtype: string, bytes: number, units: Units, scales?: "blocks"): Format["write"] {
  return (path) => {
    let at = 0;
    const header: Record<string, object> = {};
    const add = (name: string, type: string, shape: readonly number[], length: number) => {
      header[name] = { dtype: type, shape, data_offsets: [at, at + length] };
      at += length;
    };
    const grid = (length: number) => Math.ceil(length / 128);
    for (const [k, [m, n]] of matrices.entries()) {
      add(`layers.${k}.weight`, dtype, [m, n], m * n * bytes);
      if (scales) add(`layers.${k}.weight_scale_inv`, "F32", [grid(m), grid(n)], 4 * grid(m) * grid(n));
    }
    const text = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    const descriptor = openSync(path, "w");
    writeSync(descriptor, length);
    writeSync(descriptor, text);
    for (const [m, n] of matrices) {
      units((some) => writeSync(descriptor, some), m * n);
      if (scales)
        writeSync(
          descriptor,
          new Uint8Array(
            Float32Array.from({ length: grid(m) * grid(n) }, () => 0.9 + (word() % 1000) / 5000).buffer,
          ),
        );
    }
    closeSync(descriptor);
  };
}

function gguf(type: number, bytes: number, units: Units): Format["write"] {
  return (path) => {
    const parts: Buffer[] = [];
    const u32 = (x: number) => parts.push(Buffer.from(Uint32Array.of(x).buffer));
    const u64 = (x: number) => parts.push(Buffer.from(BigUint64Array.of(BigInt(x)).buffer));
    parts.push(Buffer.from("GGUF"));
    u32(3);
    u64(matrices.length);
    u64(0);
    let offset = 0;
    for (const [k, [m, n]] of matrices.entries()) {
      const name = `blk.${k}.weight`;
      u64(name.length);
      parts.push(Buffer.from(name));
      u32(2);
      u64(n);
      u64(m);
      u32(type);
      u64(offset);
      offset += m * n * bytes;
    }
    const header = Buffer.concat(parts);
    const descriptor = openSync(path, "w");
    writeSync(descriptor, header);
    writeSync(descriptor, Buffer.alloc(-header.length & 31));
    for (const [m, n] of matrices) units((some) => writeSync(descriptor, some), m * n);
    closeSync(descriptor);
  };
}

const formats: readonly Format[] = [
  { name: "bfloat16", file: "bf16.safetensors", held: 2, write: safetensors("BF16", 2, asBfloat16) },
  { name: "FP8", file: "fp8.safetensors", held: 2, write: safetensors("F8_E4M3", 1, asE4m3) },
  {
    ...{ name: "FP8, 128×128 scales", file: "fp8-blocks.safetensors", held: 4 },
    write: safetensors("F8_E4M3", 1, asE4m3, "blocks"),
  },
  { name: "Q4_K", file: "q4_k.gguf", held: 4, write: gguf(12, 144 / 256, asQ4k) },
];

const folder = mkdtempSync(join(values.folder, "spectral-norm-bench-"));
try {
  for (const { file, write } of formats) write(join(folder, file));
  const times = formats.map((): number[] => []);
  const peaks = formats.map(() => 0);
  const passes = formats.map((): number[] => []);
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [k, { file }] of formats.entries()) {
      const { ms, peak, lines } = await timedAudit(join(folder, file), ["--threads", values.threads]);
      if (lines.length !== matrices.length)
        throw new Error(`${file}: ${lines.length} of ${matrices.length} lines`);
      times[k].push(ms);
      peaks[k] = Math.max(peaks[k], peak);
      passes[k] = lines.map((line) => line.passes);
    }
  const weights = matrices.reduce((sum, [m, n]) => sum + m * n, 0);
  console.log(
    `${cpus()[0]?.model}, Node ${process.version}, ${values.threads} threads, ${matrices.length} matrices of ${(weights / 1e6).toFixed(0)} million numbers`,
  );
  const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
  for (const [k, { name, held }] of formats.entries()) {
    const ratio = median(times[k]) / median(times[0]);
    const beside = peaks[k] - held * largest;
    console.log(
      `${name.padEnd(20)} ${(median(times[k]) / 1000).toFixed(2)} s, ${ratio.toFixed(2)} ${ratio <= MOST.ratio ? "✓" : "✗"}; ` +
        `${Math.min(...passes[k])} to ${Math.max(...passes[k])} passes; ` +
        `${(beside / 1e6).toFixed(0)} MB beside the largest matrix ${beside <= MOST.bytes ? "✓" : "✗"}`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
