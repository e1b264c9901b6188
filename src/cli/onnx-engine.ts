import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { sizeOf } from "../files/sample-array.js";
import { quote } from "../files/text.js";
import { UnsupportedError } from "../index.js";
import type { VectorFunction } from "../lipschitz/slope-search.js";
import { createRandom } from "../numerics/random.js";
import { norm2 } from "../numerics/sums.js";

/** What is used of ONNX Runtime. */
export interface OnnxRuntime {
  readonly InferenceSession: {
    create(model: string | Uint8Array, options: object): Promise<OnnxSession>;
  };
  readonly Tensor: new (
    type: "float32" | "float64",
    data: Float32Array | Float64Array,
    dims: readonly number[],
  ) => OnnxTensor;
  readonly env: { logLevel?: string; wasm?: { numThreads?: number } };
}

interface OnnxSession {
  readonly inputNames: readonly string[];
  /** since version 1.21 */
  readonly inputMetadata?: readonly { readonly name: string; readonly type?: string }[];
  run(
    feeds: Readonly<Record<string, OnnxTensor>>,
    fetches: readonly string[],
  ): Promise<Readonly<Record<string, OnnxTensor>>>;
  release(): Promise<void>;
}

interface OnnxTensor {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}

/** In the order in which they are tried. */
const PACKAGES = ["onnxruntime-node", "onnxruntime-web"] as const;

/** Chosen: the most numbers that are given to the engine and taken from it at once. */
const BATCH_NUMBERS = 2 ** 22;
const MOST_AT_ONCE = 64;

/** Chosen: values of a point alone and of one in a batch differ by rounding alone if by less than this share. */
const SAME = 1e-3;

/** Chosen: longer messages of the engine are cut. */
const MESSAGE_LENGTH = 300;

/** A value of a model as a function of its input. */
export interface OnnxValueFunction extends VectorFunction {
  release(): Promise<void>;
}

/**
 * ONNX Runtime, `onnxruntime-node` or `onnxruntime-web`, where the user has it.
 *
 * @param places  paths of files from whose folders it is looked for, as `require` does in them
 * @throws UnsupportedError if it is nowhere, or cannot be loaded
 */
export function findOnnxRuntime(
  places: readonly string[] = [join(process.cwd(), "package.json"), import.meta.url],
): OnnxRuntime {
  for (const name of PACKAGES)
    for (const place of places) {
      const require = createRequire(place);
      if (!isInstalled(require, name)) continue;
      let runtime: OnnxRuntime;
      try {
        runtime = require(name);
      } catch (error) {
        throw new UnsupportedError(`${name} cannot be loaded: ${reasonOf(error)}`);
      }
      runtime.env.logLevel = "error";
      // Its threads would keep the process alive.
      if (name === "onnxruntime-web" && runtime.env.wasm) runtime.env.wasm.numThreads = 1;
      return runtime;
    }
  throw new UnsupportedError(
    "ONNX models are evaluated by ONNX Runtime, which is not installed: npm install onnxruntime-node",
  );
}

/** Whether a package is there under its own name: another one may have been put in its place. */
function isInstalled(require: NodeJS.Require, name: string): boolean {
  let folder: string;
  try {
    folder = dirname(require.resolve(name));
  } catch {
    return false;
  }
  for (; dirname(folder) !== folder; folder = dirname(folder)) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (manifest.name !== undefined) return manifest.name === name;
    } catch {
      // A folder within the package.
    }
  }
  return false;
}

/**
 * A value of an ONNX model as a function of the only input. Nothing in the graph is optimized, so that the operators and
 * weights are those in the file.
 *
 * @param model  the path of the file, or its bytes
 * @param shape  of the input
 * @param output  the name of the value; of one that is no output of the model, `model` has to be its bytes
 * @param isOpen  whether the first axis of the input may have any length
 * @throws UnsupportedError if ONNX Runtime cannot run it, or the input or output is not float32 or float64
 */
export async function onnxFunction(
  runtime: OnnxRuntime,
  model: string | Uint8Array,
  shape: readonly number[],
  { input, output, isOpen }: { readonly input: string; readonly output: string; readonly isOpen: boolean },
): Promise<OnnxValueFunction> {
  const session = await explained(() =>
    runtime.InferenceSession.create(model, {
      graphOptimizationLevel: "disabled",
      // Its own messages would be mixed with ours.
      logSeverityLevel: 4,
    }),
  );
  try {
    const dtype = inputType(session, input);
    const evaluate = async (points: readonly Float64Array[]) => {
      const size = points[0].length;
      const data = new (dtype === "float64" ? Float64Array : Float32Array)(points.length * size);
      points.forEach((point, k) => {
        data.set(point, k * size);
      });
      const dims = points.length === 1 ? shape : [points.length, ...shape.slice(1)];
      const feeds = { [input]: new runtime.Tensor(dtype, data, dims) };
      const found = (await explained(() => session.run(feeds, [output])))[output];
      const values = numbersOf(found, output);
      const each = values.length / points.length;
      return points.map((_, k) => values.slice(k * each, (k + 1) * each));
    };
    const batch = isOpen && shape[0] === 1 ? await batchOf(evaluate, sizeOf(shape)) : 1;
    return { dtype, shape, batch, evaluate, release: () => session.release() };
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** How many points may be evaluated at once: more than one only if their values are those of each alone. */
async function batchOf(evaluate: VectorFunction["evaluate"], size: number): Promise<number> {
  const points = [1, 2].map((seed) => {
    const random = createRandom(seed);
    return Float64Array.from({ length: size }, () => Math.fround(random.normal()));
  });
  try {
    const alone = [(await evaluate([points[0]]))[0], (await evaluate([points[1]]))[0]];
    const together = await evaluate(points);
    const same = alone.every((value, k) => {
      const apart = norm2(value.map((entry, i) => entry - together[k][i]));
      return value.length === together[k].length && apart <= SAME * norm2(value);
    });
    const most = Math.floor(BATCH_NUMBERS / (size + alone[0].length));
    return same ? Math.max(1, Math.min(MOST_AT_ONCE, most)) : 1;
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    return 1;
  }
}

function inputType({ inputMetadata }: OnnxSession, input: string): "float32" | "float64" {
  const type = inputMetadata?.find(({ name }) => name === input)?.type ?? "float32";
  if (type === "float32" || type === "float64") return type;
  throw new UnsupportedError(
    `the input ${quote(input)} holds ${type} numbers; slopes are measured for float32 and float64`,
  );
}

function numbersOf(tensor: OnnxTensor | undefined, output: string): Float64Array {
  const { data, type } = tensor ?? {};
  if (!(data instanceof Float32Array || data instanceof Float64Array))
    throw new UnsupportedError(
      `${quote(output)} holds ${type ?? "no"} numbers; slopes are measured for float32 and float64`,
    );
  if (data.length === 0) throw new UnsupportedError(`${quote(output)} is empty`);
  return Float64Array.from(data);
}

/** Runs `f`; an error of ONNX Runtime becomes an UnsupportedError. */
async function explained<T>(f: () => Promise<T>): Promise<T> {
  try {
    return await f();
  } catch (error) {
    throw new UnsupportedError(`ONNX Runtime cannot run it: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  // In WebAssembly, some errors are the addresses of exceptions.
  const text = error instanceof Error ? error.message : "it does not say why";
  return text.length > MESSAGE_LENGTH ? `${text.slice(0, MESSAGE_LENGTH)}…` : text;
}

/** Numbers of fields, with the type of what has a length: `ModelProto.graph`, `GraphProto.output`, `ValueInfoProto.name`. */
const [GRAPH, OUTPUT, NAME] = [7, 12, 1].map((field) => 8 * field + 2);

/**
 * An ONNX model with one more output. A Protocol Buffers message that is in a file twice is read as one, in which lists
 * are joined, so the output is a second graph behind the first.
 *
 * Format: https://protobuf.dev/programming-guides/encoding/#last-one-wins
 */
export function withOutput(model: Uint8Array, value: string): Uint8Array {
  const field = (key: number, content: readonly number[]) => [key, ...varint(content.length), ...content];
  const name = [...new TextEncoder().encode(value)];
  const behind = field(GRAPH, field(OUTPUT, field(NAME, name)));
  const bytes = new Uint8Array(model.length + behind.length);
  bytes.set(model);
  bytes.set(behind, model.length);
  return bytes;
}

/** An integer in groups of seven bits, the lowest first. */
function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
