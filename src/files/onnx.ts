import { FileError, SpectralNormError } from "../matrix/errors.js";
import { partsOfType } from "./complex-numbers.js";
import { type Folder, inside } from "./folder.js";
import { type OnnxItem, type OnnxModel, type OnnxNode, type OnnxScope, readOnnxGraph } from "./onnx-graph.js";
import { type OnnxTensor, type Place, typedNumbers } from "./onnx-tensor.js";
import { type OnnxRole, roleOf } from "./onnx-uses.js";
import { inMemory, outputsFirst } from "./outputs-first.js";
import { ProtobufReader } from "./protobuf.js";
import { FOREIGN_BYTES, refusePointers } from "./refuse-foreign.js";
import type { ByteSource } from "./source.js";
import {
  BYTES,
  type OpenTensor,
  type OperatorUse,
  storedNumbers,
  type TensorEntry,
  type WeightTensor,
} from "./tensor.js";
import { quote } from "./text.js";

/** Chosen: more matrices than a stack of weights has; each is an entry of its own. */
const STACK_LIMIT = 4096;

/** The specification of git-lfs limits pointers to fewer bytes. */
const POINTER_BYTES = 1024;

/** Keys of the fields of a `ModelProto` that may follow its version. */
const SECOND_KEYS: readonly number[] = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72, 0xa2, 0xca];

/** Whether these first bytes are those of an ONNX model, which has no signature: its version, and a second field. */
export function isOnnx(head: Uint8Array): boolean {
  return (
    head.length > 2 && head[0] === 0x08 && head[1] > 0 && head[1] < 0x80 && SECOND_KEYS.includes(head[2])
  );
}

/**
 * The tensors of an ONNX model, in the order of the file: initializers and the values of `Constant` nodes, of subgraphs and
 * functions as well. Nothing but the structure is read.
 *
 * | stored | read as |
 * |---|---|
 * | FLOAT, DOUBLE | themselves |
 * | FLOAT16, BFLOAT16 | their bits, in a `Uint16Array` |
 * | COMPLEX64, COMPLEX128 | real and imaginary parts in turn |
 * | anything else | left out, by name if it has two axes or more |
 *
 * The operators that use a tensor say what it is. The kernel of a `ConvTranspose`, [in, out, h, w], is out×(in·h·w). A
 * constant of `MatMul` with more than two axes, and the weights of `LSTM`, `GRU` and `RNN`, are one matrix for each leading
 * index, `name[0]`, `name[1]`, …. What is added or multiplied entry by entry is left out, and so is what the network
 * dequantizes.
 *
 * A tensor fails, and the others do not, if its numbers are not as many as its shape takes, are in a file that is
 * missing, too short or outside the model's folder, or overlap those of another tensor there.
 *
 * Format: https://github.com/onnx/onnx/blob/main/docs/IR.md
 *
 * @param source  where the structure is read
 * @param again  the same file, opened for the numbers of one tensor and closed with it
 * @param folder  where files of external data are
 * @throws FileError if it is no ONNX model, or has more than 1048576 nodes or tensors
 */
export function readOnnx(source: ByteSource, again: () => ByteSource, folder: Folder): TensorEntry[] {
  const model = readOnnxGraph(new ProtobufReader(source));
  const places = new NumberPlaces(source, again, folder);
  const overlaps = overlapping(model.items);
  const names = namesOf(model.items);
  return model.items.flatMap((item, i): TensorEntry[] => {
    const { name, repeated } = names[i];
    try {
      const other = overlaps.get(item);
      if (other !== undefined) throw new FileError(`its external data overlaps that of ${quote(other)}`);
      if (repeated) throw new FileError("is there a second time under the same name");
      return entriesOf(item, name, model, places);
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      return [{ kind: "failed", name, error, ...(error instanceof MissingFile && { group: error.message }) }];
    }
  });
}

/** A tensor's numbers end to end: where they begin, or that they have to be gathered. */
interface Located {
  readonly open: (dtype: WeightTensor["dtype"], count: number) => OpenTensor;
  readonly unpacked: boolean;
}

type Stored = OnnxTensor & { readonly stored: NonNullable<OnnxTensor["stored"]> };

function entriesOf(
  { content, scope, name: value }: OnnxItem,
  name: string,
  model: OnnxModel,
  places: NumberPlaces,
): TensorEntry[] {
  if (content instanceof SpectralNormError) throw content;
  if (content === "sparse")
    return [{ kind: "left out", name, reason: "is sparse, and ONNX's form of that is not read" }];
  if (typeof content === "string")
    return [{ kind: "left out", name, dtype: "float32", reason: `is a ${content}` }];
  const { shape, type, stored } = content;
  const role = roleOf(model, scope, value, shape.length);
  const leave = (reason: string): TensorEntry[] => [{ kind: "left out", name, shape, dtype: type, reason }];
  if (role.kind === "scale") return [];
  if (role.kind === "quantized") return leave(`is quantized by ${role.operator}, which is not read yet`);
  if (!stored) {
    // Shapes and indices, of which there are many.
    if (shape.length < 2) return [];
    return leave(`dtype ${type} is none of FLOAT, DOUBLE, FLOAT16, BFLOAT16, COMPLEX64, COMPLEX128`);
  }
  if (shape.length >= 2 && role.kind === "no matrix") return leave(role.reason);
  return weights({ ...content, stored }, name, role, places);
}

function weights(tensor: Stored, name: string, role: OnnxRole, places: NumberPlaces): TensorEntry[] {
  const { shape, count, stored } = tensor;
  const { dtype } = stored;
  const { open, unpacked } = places.locate(tensor);
  const rank = shape.length;
  const whole = {
    ...{ kind: "tensor", name, shape, dtype, layout: "pytorch", bytes: count * BYTES[dtype] },
    ...(unpacked && { unpacked }),
    ...(role.kind !== "unknown" && rank > 1 && { table: role.kind === "table" }),
    ...("operator" in role && { use: useOf(role, rank) }),
    open: () => open(dtype, count),
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
      const all = open(dtype, count);
      return { numbers: (first, length) => all.numbers(k * size + first, length), close: all.close };
    },
  }));
}

function useOf(role: Extract<OnnxRole, { operator: string }>, rank: number): OperatorUse {
  const { operator } = role;
  return role.kind === "kernel" && role.regular
    ? { operator, ...convolutionUse(role.node, rank - 2) }
    : { operator };
}

/** The attributes of a convolution with their defaults; those that make no sense with its axes are left out. */
function convolutionUse({ integers, texts }: OnnxNode, axes: number): Omit<OperatorUse, "operator"> {
  const list = (name: string, length: number, least: number): readonly number[] | undefined => {
    const given = integers.get(name) ?? new Array<number>(Math.max(0, length)).fill(least);
    return given.length === length && given.every((x) => x >= least && x <= MOST) ? given : undefined;
  };
  const [stride, dilation] = [list("strides", axes, 1), list("dilations", axes, 1)];
  const pads = list("pads", 2 * axes, 0);
  const groups = list("group", 1, 1);
  const automatic = texts.get("auto_pad") ?? "NOTSET";
  /** whether the size of its outputs is another than its pads say */
  const odd = integers.has("output_shape") || integers.get("output_padding")?.some((x) => x !== 0);
  // ONNX has all that come before, then all that come after.
  const given = pads?.slice(0, axes).flatMap((before, k) => [before, pads[axes + k]]);
  const known: Readonly<Record<string, OperatorUse["padding"]>> = {
    NOTSET: given,
    SAME_UPPER: "same",
    VALID: "valid",
  };
  const padding = odd ? undefined : known[automatic];
  return {
    ...(stride && { stride }),
    ...(padding && { padding }),
    ...(dilation && { dilation }),
    ...(groups && { groups: groups[0] }),
  };
}

/** Chosen: larger than the attributes of any convolution. */
const MOST = 2 ** 20;

interface ItemName {
  readonly name: string;
  /** whether another tensor of the same graph has it */
  readonly repeated: boolean;
}

/** A name of its own for every item; those of two subgraphs may be the same in the model. */
function namesOf(items: readonly OnnxItem[]): ItemName[] {
  const given = new Set<string>();
  const counts = new Map<string, number>();
  const ofScope = new Map<OnnxScope, Set<string>>();
  return items.map(({ name, scope }) => {
    const own = ofScope.get(scope) ?? new Set();
    const repeated = own.has(name);
    ofScope.set(scope, own.add(name));
    const full = given.has(name) && scope.path !== "" ? `${scope.path}/${name}` : name;
    let unique = full;
    for (let k = (counts.get(full) ?? 1) + 1; given.has(unique); k++) {
      unique = `${full} #${k}`;
      counts.set(full, k);
    }
    given.add(unique);
    return { name: unique, repeated };
  });
}

type ExternalPlace = Extract<Place, { kind: "external" }>;

/** Where tensors' numbers are, in the model's file and in those that it names. */
class NumberPlaces {
  readonly #model: ByteSource;
  readonly #again: () => ByteSource;
  readonly #folder: Folder;
  /** of other files */
  readonly #sizes = new Map<string, number | SpectralNormError>();

  constructor(model: ByteSource, again: () => ByteSource, folder: Folder) {
    this.#model = model;
    this.#again = again;
    this.#folder = folder;
  }

  /** @throws FileError if the file does not hold them */
  locate({ count, stored: { place, dtype } }: Stored): Located {
    if (place.kind === "external") return this.#external(place, count * BYTES[dtype]);
    const reopened = () => unchanged(this.#again(), this.#model.size);
    if (place.kind === "here")
      return { unpacked: false, open: (type) => storedNumbers(reopened(), place.begin, type) };
    const open: Located["open"] = (type, length) => {
      const source = reopened();
      try {
        const numbers = typedNumbers(new ProtobufReader(source), source, place, type, length);
        return inMemory(numbers, partsOfType(type));
      } finally {
        source.close();
      }
    };
    return { unpacked: true, open };
  }

  #external({ location, offset, length }: ExternalPlace, promised: number): Located {
    const size = this.#sizeOf(location);
    if (length !== undefined && length !== promised)
      throw new FileError(`takes ${promised} bytes, and its external data has ${length}`);
    const file = quote(location);
    if (offset + promised > size)
      throw new FileError(`ends at byte ${offset + promised} of its file ${file}, which has ${size}`);
    return {
      unpacked: false,
      open: (type) => storedNumbers(unchanged(this.#folder.open(location), size), offset, type),
    };
  }

  #sizeOf(location: string): number {
    const known = this.#sizes.get(location);
    const found = known ?? this.#openedSize(location);
    this.#sizes.set(location, found);
    if (typeof found === "number") return found;
    throw found;
  }

  #openedSize(location: string): number | SpectralNormError {
    try {
      const source = this.#folder.open(inside(location));
      try {
        if (source.size > 0 && source.size <= POINTER_BYTES)
          refusePointers(source.read(0, Math.min(FOREIGN_BYTES, source.size)));
        return source.size;
      } finally {
        source.close();
      }
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      return new MissingFile(`its file ${quote(location)}: ${error.message}`);
    }
  }
}

/** A file of external data cannot be read, and so none of its tensors. */
class MissingFile extends FileError {}

/** @throws FileError if a file that was opened again has another size */
function unchanged(source: ByteSource, size: number): ByteSource {
  if (source.size === size) return source;
  source.close();
  throw new FileError("its file has changed since the model was read");
}

/** Items whose external data overlaps that of another item, and the other. The same data may be used twice. */
function overlapping(items: readonly OnnxItem[]): Map<OnnxItem, string> {
  const byFile = new Map<string, { item: OnnxItem; begin: number; end: number }[]>();
  for (const item of items) {
    const stored =
      typeof item.content === "object" && "stored" in item.content ? item.content.stored : undefined;
    if (stored?.place.kind !== "external") continue;
    const { location, offset } = stored.place;
    const file = location.replace(/^(\.\/)+/, "");
    const { count } = item.content as OnnxTensor;
    const range = { item, begin: offset, end: offset + count * BYTES[stored.dtype] };
    if (count === 0) continue;
    const others = byFile.get(file);
    if (others) others.push(range);
    else byFile.set(file, [range]);
  }
  const found = new Map<OnnxItem, string>();
  for (const ranges of byFile.values()) {
    ranges.sort((a, b) => a.begin - b.begin || a.end - b.end);
    let furthest = ranges[0];
    for (const range of ranges.slice(1)) {
      const same = range.begin === furthest.begin && range.end === furthest.end;
      if (range.begin < furthest.end && !same) {
        found.set(range.item, furthest.item.name);
        found.set(furthest.item, range.item.name);
      }
      if (range.end > furthest.end) furthest = range;
    }
  }
  return found;
}
