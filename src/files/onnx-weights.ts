import { FileError, SpectralNormError } from "../matrix/errors.js";
import { type HalfType, halfDecoder } from "../matrix/half.js";
import { isComplexType, type NumberType } from "./complex-numbers.js";
import { linearNumbers } from "./linear-quantization.js";
import { OnnxNames } from "./onnx-constants.js";
import { commonUse, convolutionUse } from "./onnx-convolution.js";
import type { OnnxItem, OnnxModel } from "./onnx-graph.js";
import { onnxDecoder } from "./onnx-numbers.js";
import type { NumberPlaces } from "./onnx-places.js";
import {
  type Dequantization,
  dequantizationOf,
  type QuantizedUse,
  sameNumbers,
  UnclearQuantization,
} from "./onnx-quantization.js";
import { OnnxShapes } from "./onnx-shapes.js";
import type { OnnxTensor, PlacedTensor } from "./onnx-tensor.js";
import { type FoundUse, type OnnxRole, usesOf } from "./onnx-uses.js";
import { outputsFirst } from "./outputs-first.js";
import {
  BYTES,
  type OpenTensor,
  type OperatorUse,
  storedNumbers,
  type TensorEntry,
  type WeightTensor,
} from "./tensor.js";

/** Chosen: more matrices than a stack of weights has; each is an entry of its own. */
const STACK_LIMIT = 4096;

/** Roles in which a tensor is a matrix, or several. */
const MATRICES: ReadonlySet<OnnxRole["kind"]> = new Set(["kernel", "recurrent", "factor"]);

/** The numbers of a tensor, as the network uses them. */
interface UsedNumbers {
  readonly shape: readonly number[];
  readonly dtype: NumberType;
  readonly unpacked: boolean;
  open(): OpenTensor;
}

/** Makes the entries of a model out of its tensors. */
export class OnnxWeights {
  readonly #model: OnnxModel;
  readonly #places: NumberPlaces;
  readonly #names: OnnxNames;
  readonly #shapes: OnnxShapes;
  readonly #uses = new Map<OnnxItem, readonly FoundUse[]>();
  /** the scales and zero points of weights */
  readonly #parts = new Set<OnnxItem>();
  readonly #dequantized = new Map<OnnxItem, Dequantization | SpectralNormError>();

  constructor(model: OnnxModel, places: NumberPlaces) {
    this.#model = model;
    this.#places = places;
    this.#names = new OnnxNames(model);
    this.#shapes = new OnnxShapes(this.#names, (tensor) => places.valuesOf(tensor));
    for (const item of model.items) this.#follow(item);
  }

  #follow(item: OnnxItem): void {
    const { content, scope, name } = item;
    if (content instanceof SpectralNormError || content === "sparse") return;
    const uses = usesOf(this.#model, scope, name, content.shape.length);
    this.#uses.set(item, uses);
    const asMatrix = uses.filter(({ role }) => MATRICES.has(role.kind));
    const counting = asMatrix.length > 0 ? asMatrix : uses;
    const quantized = counting.flatMap((use) => (use.quantized ? [use.quantized] : []));
    if (quantized.length === 0 || content.shape.length < 2 || content.count === 0) return;
    try {
      if (content.dtype && quantized.length < counting.length)
        throw new UnclearQuantization("is quantized for some operators, and not for others");
      const found = this.#dequantization(content, quantized);
      this.#dequantized.set(item, found);
      for (const part of [found.scale, found.zero]) if (typeof part !== "number") this.#parts.add(part.item);
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      this.#dequantized.set(item, error);
    }
  }

  #dequantization(content: OnnxTensor, uses: readonly QuantizedUse[]): Dequantization {
    const { stored, type } = content;
    if (!stored) throw new UnclearQuantization(`is ${type}, which is not dequantized`);
    const [found, ...others] = uses.map((use) => dequantizationOf(this.#names, use, { ...content, stored }));
    if (others.some((other) => !sameNumbers(found, other)))
      throw new UnclearQuantization("is dequantized in more than one way");
    return found;
  }

  /** @throws FileError if the tensor is damaged */
  entriesOf(item: OnnxItem, name: string): TensorEntry[] {
    const { content } = item;
    if (content instanceof SpectralNormError) throw content;
    if (content === "sparse")
      return [{ kind: "left out", name, reason: "is sparse, and ONNX's form of that is not read" }];
    const { shape, type } = content;
    const [{ role } = { role: { kind: "unknown" } as OnnxRole }, ...others] = this.#uses.get(item) ?? [];
    const leave = (reason: string): TensorEntry[] => [{ kind: "left out", name, shape, dtype: type, reason }];
    if (role.kind === "scale" || (role.kind === "no matrix" && this.#parts.has(item))) return [];
    const dequantization = this.#dequantized.get(item);
    if (dequantization instanceof UnclearQuantization) return leave(dequantization.message);
    if (dequantization instanceof SpectralNormError) throw dequantization;
    // Shapes and indices, of which there are many.
    if (!content.dtype && !dequantization && shape.length < 2) return [];
    if (shape.length >= 2 && role.kind === "no matrix") return leave(role.reason);
    if (!content.dtype && !dequantization)
      return leave(`dtype ${type} is none of FLOAT, DOUBLE, FLOAT16, BFLOAT16, COMPLEX64, COMPLEX128`);
    const factor = factorIn(role);
    if (others.some((other) => other.role.kind === role.kind && factorIn(other.role) !== factor))
      return leave("is multiplied by more than one alpha");
    const numbers = this.#numbers(content, dequantization, factor);
    if (!numbers) return leave(`is ${type}, and its form is not read`);
    const roles = [role, ...others.map((other) => other.role)];
    return weights(numbers, name, role, this.#operatorUse(roles, shape.length));
  }

  /** What the graph does with a tensor of these roles, of which the first counts. */
  #operatorUse([role, ...others]: readonly OnnxRole[], rank: number): OperatorUse | undefined {
    if (!("operator" in role)) return undefined;
    const { operator } = role;
    if (role.kind !== "kernel") return { operator };
    const kernels = [role, ...others.filter((other) => other.kind === "kernel")];
    if (kernels.some((kernel) => !kernel.regular || kernel.operator !== operator)) return { operator };
    const uses = kernels.map(({ node }) =>
      convolutionUse(node, rank - 2, this.#shapes.of(node.inputs[0] ?? "", node.scope)),
    );
    return { operator, ...commonUse(uses) };
  }

  #numbers(
    content: OnnxTensor,
    dequantization: Dequantization | undefined,
    factor: number,
  ): UsedNumbers | undefined {
    const { stored, shape, dtype } = content;
    if (!stored) return undefined;
    const tensor = { ...content, stored };
    const places = this.#places;
    const { open, unpacked } = places.locate(tensor);
    if (dequantization) {
      const form = { shape: dequantization.shape, dtype: "float32", unpacked } as const;
      return { ...form, open: () => openQuantized(tensor, dequantization, factor, places) };
    }
    if (!dtype) return undefined;
    const whole = () => {
      const { source, begin } = open();
      return storedNumbers(source, begin, dtype);
    };
    if (factor === 1) return { shape, dtype, unpacked, open: whole };
    if (isComplexType(dtype)) return undefined;
    const half = dtype === "float16" || dtype === "bfloat16" ? dtype : undefined;
    const form = { shape, dtype: half ? "float32" : dtype, unpacked } as const;
    return { ...form, open: () => multiplied(whole(), half, factor) };
  }
}

/** What the network multiplies a factor of a product with, beside the other factor. */
function factorIn(role: OnnxRole): number {
  return role.kind === "factor" ? (role.node.floats.get("alpha")?.[0] ?? 1) : 1;
}

/** Numbers times a factor, each rounded once; those of 16 bits become float32. */
function multiplied(opened: OpenTensor, half: HalfType | undefined, factor: number): OpenTensor {
  const decode = half ? halfDecoder(half) : (x: number) => x;
  return {
    numbers(first, count) {
      const numbers = opened.numbers(first, count);
      const into = numbers instanceof Float64Array ? numbers : new Float32Array(count);
      for (let i = 0; i < count; i++) into[i] = factor * decode(numbers[i]);
      return into;
    },
    close: () => opened.close(),
  };
}

/** The numbers of a quantized tensor as the network uses them, times a factor. */
export function openQuantized(
  tensor: PlacedTensor,
  { grid, scale, zero, packedZeros, codes, range }: Dequantization,
  factor: number,
  places: NumberPlaces,
): OpenTensor {
  const scales = places.valuesOf(scale.tensor);
  const zeros =
    typeof zero === "number"
      ? Float64Array.of(zero)
      : packedZeros
        ? rowsOf(places, zero.tensor, packedZeros)
        : places.valuesOf(zero.tensor);
  const type = codes ?? tensor.type;
  const decode = onnxDecoder(type);
  if (!decode) throw new FileError(`is ${type}, which is not read`);
  const bits = packedZeros?.bits ?? (codes ? CODE_BITS[codes] : tensor.stored.bits);
  const { source, begin } = places.locate(tensor).open();
  return linearNumbers({ source, begin, bits, decode, grid, scales, zeros, factor, ...(range && { range }) });
}

const CODE_BITS = { UINT2: 2, UINT4: 4 } as const;

/** Zero points that are packed in rows, each of which begins with a byte. */
function rowsOf(
  places: NumberPlaces,
  tensor: PlacedTensor,
  { bits, row }: NonNullable<Dequantization["packedZeros"]>,
): Float64Array {
  const bytes = places.valuesOf(tensor);
  const perRow = Math.ceil((row * bits) / 8);
  return Float64Array.from({ length: (bytes.length / perRow) * row }, (_, k) => {
    const [i, bit] = [Math.floor(k / row), (k % row) * bits];
    return (bytes[i * perRow + (bit >>> 3)] >>> (bit & 7)) & (2 ** bits - 1);
  });
}

function weights(
  numbers: UsedNumbers,
  name: string,
  role: OnnxRole,
  use: OperatorUse | undefined,
): TensorEntry[] {
  const { shape, dtype, unpacked, open } = numbers;
  const count = shape.reduce((product, length) => product * length, 1);
  const rank = shape.length;
  const whole = {
    ...{ kind: "tensor", name, shape, dtype, layout: "pytorch", bytes: count * BYTES[dtype] },
    ...(unpacked && { unpacked }),
    ...(role.kind !== "unknown" && rank > 1 && { table: role.kind === "table" }),
    ...(use && { use }),
    open,
  } satisfies WeightTensor;
  if (role.kind === "kernel" && role.outputs === rank - 1 && rank > 1)
    return [{ ...whole, layout: "tensorflow" }];
  if (role.kind === "kernel" && role.outputs > 0) {
    const { outputs } = role;
    return [{ ...whole, outputs, unpacked: true, open: () => outputsFirst(whole, outputs) }];
  }
  if ((role.kind !== "factor" && role.kind !== "recurrent") || rank < 3 || count === 0) return [whole];
  const each = shape.slice(-2);
  const size = each[0] * each[1];
  const matrices = count / size;
  if (matrices > STACK_LIMIT)
    return [
      {
        ...{ kind: "left out", name, shape, dtype },
        reason: `is a stack of ${matrices} matrices, more than ${STACK_LIMIT}`,
      },
    ];
  return Array.from({ length: matrices }, (_, k) => ({
    ...whole,
    name: matrices === 1 ? name : `${name}[${k}]`,
    shape: each,
    bytes: size * BYTES[dtype],
    open() {
      const all = open();
      return { numbers: (first, length) => all.numbers(k * size + first, length), close: all.close };
    },
  }));
}
