import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { svdvals } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { frobenius } from "../../src/numerics/sums.js";
import { floats } from "../files/models.js";
import { attribute, graph, node, onnx, raw, tensor } from "../files/onnx-models.js";
import { answers } from "./models.js";

const folder = mkdtempSync(join(tmpdir(), "graph-convolution-"));
afterAll(() => rmSync(folder, { recursive: true }));

const random = createRandom(11);
const [h, w] = [5, 4];

interface Layer {
  readonly operator: "Conv" | "ConvTranspose";
  readonly shape: readonly [number, number, number, number];
  readonly strides?: readonly [number, number];
  /** top, left, bottom, right, as ONNX has them */
  readonly pads?: readonly [number, number, number, number];
  readonly dilations?: readonly [number, number];
  readonly groups?: number;
  readonly auto?: string;
}

const layers: Readonly<Record<string, Layer>> = {
  plain: { operator: "Conv", shape: [3, 2, 3, 3] },
  strided: { operator: "Conv", shape: [3, 2, 3, 2], strides: [2, 1], pads: [1, 0, 2, 1] },
  grouped: { operator: "Conv", shape: [4, 2, 2, 2], groups: 2, pads: [1, 1, 0, 0] },
  depthwise: { operator: "Conv", shape: [4, 1, 3, 3], groups: 4, pads: [2, 2, 2, 2], dilations: [2, 2] },
  valid: { operator: "Conv", shape: [2, 2, 2, 3], auto: "VALID" },
  up: { operator: "ConvTranspose", shape: [2, 3, 3, 2], strides: [2, 3], pads: [1, 0, 0, 1] },
  "up-grouped": { operator: "ConvTranspose", shape: [4, 1, 2, 2], groups: 2, dilations: [2, 1] },
};

/** The matrix of an operator from ONNX's definition: what every input is multiplied by at every output. */
function dense(layer: Layer, K: readonly number[]) {
  const { operator, shape, strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], groups = 1 } = layer;
  const [first, second, kh, kw] = shape;
  const up = operator === "ConvTranspose";
  const [channels, outputs] = up ? [first, second * groups] : [second * groups, first];
  const size = (along: 0 | 1) => {
    const reach = dilations[along] * (shape[2 + along] - 1) + 1;
    const [length, padding] = [[h, w][along], pads[along] + pads[along + 2]];
    if (up) return strides[along] * (length - 1) + reach - padding;
    return Math.floor((length + padding - reach) / strides[along]) + 1;
  };
  const [oh, ow] = [size(0), size(1)];
  const [rows, cols] = [outputs * oh * ow, channels * h * w];
  const A = new Float64Array(rows * cols);
  // The side of the larger stride index: outputs of Conv, inputs of ConvTranspose.
  const [ph, pw] = up ? [h, w] : [oh, ow];
  const [qh, qw] = up ? [oh, ow] : [h, w];
  for (let i = 0; i < first; i++)
    for (let j = 0; j < second; j++)
      for (let a = 0; a < kh; a++)
        for (let b = 0; b < kw; b++)
          for (let p = 0; p < ph; p++)
            for (let q = 0; q < pw; q++) {
              const y = p * strides[0] + a * dilations[0] - pads[0];
              const x = q * strides[1] + b * dilations[1] - pads[1];
              if (y < 0 || x < 0 || y >= qh || x >= qw) continue;
              const other = Math.floor(i / (first / groups)) * second + j;
              const near = (i * ph + p) * pw + q;
              const far = (other * qh + y) * qw + x;
              A[up ? far * cols + near : near * cols + far] += K[((i * second + j) * kh + a) * kw + b];
            }
  return { A, rows, cols };
}

it("--conv operator applies every convolution as the graph does", async () => {
  const kernels = Object.fromEntries(
    Object.entries(layers).map(([name, { shape }]) => [
      name,
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    ]),
  );
  const nodes = Object.entries(layers).map(([name, layer]) =>
    node(
      layer.operator,
      ["x", name],
      [`y-${name}`],
      ...(layer.strides ? [attribute.integers("strides", layer.strides)] : []),
      ...(layer.pads ? [attribute.integers("pads", layer.pads)] : []),
      ...(layer.dilations ? [attribute.integers("dilations", layer.dilations)] : []),
      ...(layer.groups ? [attribute.integer("group", layer.groups)] : []),
      ...(layer.auto ? [attribute.text("auto_pad", layer.auto)] : []),
    ),
  );
  const more = [
    node("ConvTranspose", ["x", "odd"], ["o"], attribute.integers("output_padding", [1, 1])),
    node("Conv", ["x", "indivisible"], ["i"], attribute.integer("group", 2)),
    node("Gather", ["table", "i"], ["t"]),
  ];
  const double = (name: string, shape: readonly number[], numbers: readonly number[]) =>
    tensor(name, "DOUBLE", shape, raw(floats("F64", numbers)));
  const path = join(folder, "net.onnx");
  const initializers = [
    ...Object.entries(layers).map(([name, { shape }]) => double(name, shape, kernels[name])),
    double("odd", [1, 1, 2, 1], [1, 2]),
    double("indivisible", [3, 1, 1, 1], [1, 2, 3]),
    double("table", [2, 1, 1, 1], [3, 4]),
  ];
  writeFileSync(path, onnx(graph([...nodes, ...more], initializers)));
  const flags = { conv: "operator", input: [h, w], embeddings: true } as const;
  const { status, lines, stderr } = await answers([path], flags);
  expect(status).toBe(2);
  expect(stderr).toMatch(/"odd": is a ConvTranspose with attributes that --conv operator does not take/);
  expect(stderr).toMatch(/"indivisible": .*3 output channels cannot be divided into 2 groups/);
  expect(lines.map(({ tensor }) => tensor)).toEqual([...Object.keys(layers), "table"]);
  for (const { tensor, sigma, frobenius: norm, rows, cols } of lines.slice(0, -1)) {
    const expected = dense(layers[tensor], kernels[tensor]);
    expect([rows, cols], tensor).toEqual([expected.rows, expected.cols]);
    const [truth] = svdvals({ data: expected.A, shape: [rows, cols] });
    expect(Math.abs(sigma / truth - 1), tensor).toBeLessThan(1e-12);
    expect(Math.abs(norm / frobenius(expected.A) - 1), tensor).toBeLessThan(1e-13);
  }
  // A table of four axes is none, and --layout does not turn what the graph says.
  expect(lines.at(-1)).toMatchObject({ rows: 2, cols: 1 });
  const turned = await answers([path], { layout: "tensorflow" });
  expect(turned.lines[0]).toMatchObject({ tensor: "plain", rows: 3, cols: 18 });
});
