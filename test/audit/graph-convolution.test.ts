import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { svdvals } from "../../src/index.js";
import { createRandom } from "../../src/numerics/random.js";
import { frobenius } from "../../src/numerics/sums.js";
import { floats } from "../files/models.js";
import { attribute, graph, inputs, node, onnx, outputs, raw, tensor, value } from "../files/onnx-models.js";
import { outputsOf } from "../files/onnx-runtime.js";
import { answers, auditOf } from "./models.js";

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
    node("Conv", ["x", "wrong"], ["w"], attribute.integers("strides", [0, 0])),
    node("Gather", ["table", "i"], ["t"]),
  ];
  const double = (name: string, shape: readonly number[], numbers: readonly number[]) =>
    tensor(name, "DOUBLE", shape, raw(floats("F64", numbers)));
  const path = join(folder, "net.onnx");
  const initializers = [
    ...Object.entries(layers).map(([name, { shape }]) => double(name, shape, kernels[name])),
    double("odd", [1, 1, 2, 1], [1, 2]),
    double("indivisible", [3, 1, 1, 1], [1, 2, 3]),
    double("wrong", [1, 1, 1, 1], [1]),
    double("table", [2, 1, 1, 1], [3, 4]),
  ];
  writeFileSync(path, onnx(graph([...nodes, ...more], initializers)));
  const flags = { conv: "operator", input: [h, w], embeddings: true } as const;
  const { status, lines, stderr } = await answers([path], flags);
  expect(status).toBe(2);
  expect(stderr).toMatch(/"odd": has an output padding of 1, which is not less than its stride or dilation/);
  expect(stderr).toMatch(/"wrong": is a Conv with attributes that --conv operator does not take/);
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

interface RuntimeLayer {
  readonly operator: "Conv" | "ConvTranspose";
  /** of the kernel */
  readonly shape: readonly number[];
  readonly attributes: readonly Uint8Array[];
  /** channels and lengths */
  readonly input: readonly number[];
}

const runtimeLayers: Readonly<Record<string, RuntimeLayer>> = {
  ...Object.fromEntries(
    ["SAME_UPPER", "SAME_LOWER"].flatMap((auto) => [
      [
        `conv-${auto}`,
        {
          ...{ operator: "Conv", shape: [3, 2, 3, 2], input: [2, 5, 4] },
          attributes: [attribute.text("auto_pad", auto), attribute.integers("strides", [2, 1])],
        },
      ],
      [
        `up-${auto}`,
        {
          ...{ operator: "ConvTranspose", shape: [2, 3, 4, 3], input: [2, 3, 4] },
          attributes: [attribute.text("auto_pad", auto), attribute.integers("strides", [3, 2])],
        },
      ],
      [
        `sized-${auto}`,
        {
          ...{ operator: "ConvTranspose", shape: [2, 3, 3, 3], input: [2, 3, 4] },
          attributes: [
            attribute.text("auto_pad", auto),
            attribute.integers("strides", [2, 2]),
            attribute.integers("output_shape", [6, 8]),
          ],
        },
      ],
    ]),
  ),
  "up-padded": {
    ...{ operator: "ConvTranspose", shape: [2, 3, 3, 2], input: [2, 3, 4] },
    attributes: [
      attribute.integers("strides", [3, 2]),
      attribute.integers("pads", [1, 0, 0, 1]),
      attribute.integers("output_padding", [2, 1]),
    ],
  },
  sized: {
    ...{ operator: "ConvTranspose", shape: [2, 3, 4, 3], input: [2, 3, 4] },
    attributes: [attribute.integers("strides", [2, 2]), attribute.integers("output_shape", [5, 8])],
  },
  "up-valid": {
    ...{ operator: "ConvTranspose", shape: [4, 1, 2, 2], input: [4, 3, 2] },
    attributes: [attribute.text("auto_pad", "VALID"), attribute.integer("group", 2)],
  },
  line: {
    ...{ operator: "Conv", shape: [3, 2, 4], input: [2, 9] },
    attributes: [
      attribute.integers("strides", [2]),
      attribute.integers("pads", [1, 2]),
      attribute.integers("dilations", [2]),
    ],
  },
  "line-up": {
    ...{ operator: "ConvTranspose", shape: [2, 3, 4], input: [2, 5] },
    attributes: [attribute.integers("strides", [2]), attribute.integers("output_padding", [1])],
  },
  "line-unreached": {
    ...{ operator: "ConvTranspose", shape: [2, 3, 2], input: [2, 5] },
    attributes: [attribute.integers("strides", [3]), attribute.integers("output_padding", [2])],
  },
  space: {
    ...{ operator: "Conv", shape: [3, 2, 2, 3, 2], input: [2, 3, 5, 4] },
    attributes: [
      attribute.integers("strides", [1, 2, 1]),
      attribute.integers("pads", [1, 0, 0, 0, 2, 1]),
      attribute.integers("dilations", [1, 1, 2]),
    ],
  },
  "space-up": {
    ...{ operator: "ConvTranspose", shape: [2, 2, 2, 3, 2], input: [2, 2, 3, 2] },
    attributes: [
      attribute.integers("strides", [2, 1, 3]),
      attribute.integers("output_padding", [1, 0, 2]),
      attribute.integers("pads", [1, 0, 0, 0, 1, 0]),
    ],
  },
  "space-same": {
    ...{ operator: "ConvTranspose", shape: [2, 1, 2, 2, 4], input: [2, 2, 3, 2] },
    attributes: [attribute.integers("strides", [2, 1, 3]), attribute.text("auto_pad", "SAME_UPPER")],
  },
  "line-depthwise": {
    ...{ operator: "Conv", shape: [4, 1, 3], input: [4, 6] },
    attributes: [attribute.integer("group", 4), attribute.text("auto_pad", "SAME_LOWER")],
  },
};

describe("--conv operator has the norms of what ONNX Runtime computes, on the graph's own input:", () => {
  for (const [name, { operator, shape, attributes, input: own }] of Object.entries(runtimeLayers))
    it(name, async () => {
      const count = shape.reduce((a, b) => a * b, 1);
      const kernel = Array.from({ length: count }, () => random.normal());
      const model = (batch: number) =>
        onnx(
          graph(
            [node(operator, ["x", "k"], ["y"], ...attributes)],
            [tensor("k", "FLOAT", shape, raw(floats("F32", kernel)))],
            inputs(value("x", "FLOAT", [batch, ...own])),
            outputs(value("y", "FLOAT")),
          ),
        );
      // A batch of the images with a single one has the columns of the operator for outputs.
      const cols = own.reduce((a, b) => a * b, 1);
      const identity = Float32Array.from({ length: cols * cols }, (_, k) => (k % (cols + 1) === 0 ? 1 : 0));
      const { y } = await outputsOf(model(cols), { x: { data: identity, dims: [cols, ...own] } });
      const rows = y.data.length / cols;
      const [truth] = svdvals({ data: y.data, shape: [cols, rows] });
      const path = join(folder, `${name}.onnx`);
      writeFileSync(path, model(1));
      const { status, stderr, lines } = await answers([path], { conv: "operator" });
      expect(stderr).toBe("");
      expect(status).toBe(0);
      expect(lines[0]).toMatchObject({ rows, cols, input: own.slice(1), inputFrom: "graph" });
      expect(Math.abs(lines[0].sigma / truth - 1)).toBeLessThan(1e-6);
      expect(Math.abs(lines[0].frobenius / frobenius(Float64Array.from(y.data)) - 1)).toBeLessThan(1e-6);
    });
});

it("--conv operator takes --input where the graph does not give the size, and says so", async () => {
  const path = join(folder, "open.onnx");
  const kernel = (name: string, shape: readonly number[]) =>
    tensor(
      name,
      "FLOAT",
      shape,
      raw(floats("F32", Array.from({ length: shape.reduce((a, b) => a * b, 1) }, random.normal))),
    );
  const model = (...lengths: (number | string)[]) =>
    onnx(
      graph(
        [
          node("Conv", ["x", "known"], ["y"]),
          node("Strange", ["y"], ["z"]),
          node("Conv", ["z", "unknown"], ["u"]),
        ],
        [kernel("known", [2, 1, 3, 3]), kernel("unknown", [1, 2, 3, 3])],
        inputs(value("x", "FLOAT", [1, 1, ...lengths])),
      ),
    );
  writeFileSync(path, model(7, 6));
  const given = await answers([path], { conv: "operator", input: [5, 4] });
  expect(given.lines.map(({ input, inputFrom }) => [input, inputFrom])).toEqual([
    [[7, 6], "graph"],
    [[5, 4], "option"],
  ]);
  const without = await answers([path], { conv: "operator" });
  expect(without.status).toBe(2);
  expect(without.lines.map(({ tensor }) => tensor)).toEqual(["known"]);
  expect(without.stderr).toMatch(/"unknown": is a convolution, and its graph does not determine/);
  const { stdout } = await auditOf([path], { conv: "operator", input: [5, 4] });
  expect(stdout).toMatch(/ 7×6 /);
  expect(stdout).toMatch(/ 5×4\* /);
  expect(stdout).toMatch(/with \*,\s+that\s+of\s+--input/);
  // A size that only takes memory is none.
  writeFileSync(path, model(2 ** 16, 2 ** 16));
  const large = await answers([path], { conv: "operator", input: [5, 4] });
  expect(large.lines[0]).toMatchObject({ input: [5, 4], inputFrom: "option" });
  writeFileSync(path, model("h", "w"));
  await expect(answers([path], { conv: "operator" })).rejects.toThrow(/needs the size of the input/);
  expect((await answers([path])).lines[0].input).toBeUndefined();
});
