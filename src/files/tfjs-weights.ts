import { FileError, SpectralNormError } from "../matrix/errors.js";
import type { PanelType } from "../matrix/types.js";
import type { Folder } from "./folder.js";
import { inside } from "./folder.js";
import { isObject } from "./json.js";
import { KerasNames, kerasModel, variableOf } from "./keras-config.js";
import { usedBy } from "./keras-uses.js";
import { dequantized, type Quantization, quantizationOf } from "./quantized.js";
import { FOREIGN_BYTES, refusePointers } from "./refuse-foreign.js";
import { type ByteSource, type FilePart, joined } from "./source.js";
import {
  checkedShape,
  type FailedTensor,
  type OpenTensor,
  storedNumbers,
  type TensorEntry,
} from "./tensor.js";
import { quote } from "./text.js";

/** Bytes of an element, of the types that are stored by elements of one size. */
const SIZES: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1, complex64: 8 };

/** Before each string stands its length. */
const STRING_LENGTH_BYTES = 4;

/** The specification of git-lfs limits pointers to fewer bytes. */
const POINTER_BYTES = 1024;

interface Group {
  readonly paths: readonly string[];
  readonly weights: readonly unknown[];
}

/** The bytes of the files of a group, end to end. */
interface Bytes {
  /** of the files that are there; what lies behind one that is missing has no place */
  readonly size: number;
  /** why there are no more */
  readonly end: string;
  open(): ByteSource;
}

/** Whether a JSON text is a TensorFlow.js model or a weights manifest. */
export function isTfjsModel(value: unknown): boolean {
  return Array.isArray(value) || (isObject(value) && "weightsManifest" in value);
}

/**
 * The tensors of a TensorFlow.js model, from its `model.json` or its weights manifest alone, in the order of the
 * manifest. Their files are opened to learn their lengths, and again for each tensor.
 *
 * | stored | read as |
 * |---|---|
 * | float32 | itself |
 * | float32, quantized to uint8 or uint16 | float32: scale·q + min, rounded once, as TensorFlow.js does |
 * | float32, quantized to float16 | its bits, in a `Uint16Array` |
 * | int32, bool, complex64, string | left out |
 *
 * Those of an optimizer, which the manifest has in a group of that name, are left out as well.
 * The topology of a layers model says how its layers use their weights.
 *
 * The tensors of a group of files lie end to end, and may begin in one file and end in another. One that fails takes
 * those behind it in its group with it where its length is not known, and no others.
 *
 * Format: `io.WeightsManifestConfig` of TensorFlow.js.
 *
 * @throws FileError if the manifest is damaged
 */
export function readTfjsModel(value: unknown, folder: Folder): TensorEntry[] {
  const layers = layersIn(value);
  return storedTfjs(value, folder).map((entry) =>
    entry.kind === "tensor" ? usedBy(entry, layers.find(entry.name), variableOf(entry.name)) : entry,
  );
}

/** As `readTfjsModel`, the tensors as they are stored, whatever uses them. */
export function storedTfjs(value: unknown, folder: Folder): TensorEntry[] {
  const groups = Array.isArray(value) ? value : isObject(value) ? value["weightsManifest"] : undefined;
  if (!Array.isArray(groups)) throw new FileError('its "weightsManifest" is not a list');
  const seen = new Set<string>();
  return groups.flatMap((group, g) => {
    const { paths, weights } = groupOf(group, g);
    return readGroup(weights, bytesOf(paths, folder), seen, g);
  });
}

/** The layers of a model whose topology is that of a layers model; a graph model has none. */
function layersIn(value: unknown): KerasNames {
  const topology = isObject(value) ? value["modelTopology"] : undefined;
  return new KerasNames(kerasModel(isObject(topology) ? (topology["model_config"] ?? topology) : undefined));
}

function groupOf(group: unknown, g: number): Group {
  const { paths, weights } = isObject(group) ? group : {};
  if (!Array.isArray(paths) || !Array.isArray(weights))
    throw new FileError(`entry ${g} of its weights manifest has no lists of paths and weights`);
  return { paths: paths.map(inside), weights };
}

/** What there is of the files; the first that is missing ends it. */
function bytesOf(paths: readonly string[], folder: Folder): Bytes {
  const parts: FilePart[] = [];
  let size = 0;
  let end = `${paths.length === 1 ? quote(paths[0]) : "their files together"} hold no more: cut short or damaged`;
  for (const path of paths) {
    try {
      const source = folder.open(path);
      try {
        refusePointer(source);
        parts.push({ size: source.size, open: () => folder.open(path) });
        size += source.size;
      } finally {
        source.close();
      }
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      end = `its file ${quote(path)}: ${error.message}`;
      break;
    }
  }
  return { size, end, open: () => joined(parts) };
}

/** Weights have no signature, so short files are checked for being a pointer. */
function refusePointer(source: ByteSource): void {
  if (source.size > 0 && source.size <= POINTER_BYTES)
    refusePointers(source.read(0, Math.min(FOREIGN_BYTES, source.size)));
}

function readGroup(weights: readonly unknown[], bytes: Bytes, seen: Set<string>, g: number): TensorEntry[] {
  let at = 0;
  /** the first tensor of unknown length */
  let lost: string | undefined;
  return weights.map((weight, w) => {
    const name = isObject(weight) && typeof weight["name"] === "string" ? weight["name"] : `weight ${w}`;
    let group: string | undefined;
    try {
      if (lost !== undefined) group = `behind ${g}`;
      if (lost !== undefined) throw new FileError(`lies somewhere behind ${quote(lost)}, which is damaged`);
      const declared = declaredIn(weight, () => lengthOfStrings(weight, bytes, at));
      const begin = at;
      at += declared.bytes;
      if (seen.has(name)) throw new FileError("is there a second time under the same name");
      seen.add(name);
      if (!(at <= bytes.size)) group = `beyond ${g}`;
      if (!(at <= bytes.size))
        throw new FileError(`ends at byte ${at} of ${bytes.size} that are there; ${bytes.end}`);
      if (declared.optimizer) {
        const { shape, dtype } = declared;
        return {
          kind: "left out",
          name,
          shape,
          dtype,
          reason: "is what an optimizer keeps, by the manifest",
        };
      }
      return entryOf(name, declared, begin, bytes);
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      if (!isObject(weight) || error instanceof UnknownLength) lost ??= name;
      const failed: FailedTensor = { kind: "failed", name, error, ...(group && { group }) };
      return failed;
    }
  });
}

/** The length of a tensor, and so the offset of those that follow, is unknown. */
class UnknownLength extends FileError {}

interface Declared {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization: Quantization | undefined;
  /** why its numbers cannot be decoded */
  readonly fault: FileError | undefined;
  readonly count: number;
  readonly bytes: number;
  /** whether the manifest has it in the group of those that an optimizer keeps */
  readonly optimizer: boolean;
}

function declaredIn(weight: unknown, strings: () => number): Declared {
  if (!isObject(weight)) throw new UnknownLength("its entry in the manifest is not an object");
  try {
    const { shape, count } = checkedShape(weight["shape"]);
    const { dtype } = weight;
    if (typeof dtype !== "string") throw new FileError("has no dtype");
    const optimizer = weight["group"] === "optimizer";
    if (weight["quantization"] !== undefined) {
      const { quantization, size, fault } = quantizationOf(weight["quantization"], dtype);
      return { shape, dtype, quantization, fault, count, bytes: count * size, optimizer };
    }
    const plain = { shape, dtype, quantization: undefined, fault: undefined, count, optimizer };
    if (dtype === "string") return { ...plain, bytes: strings() };
    if (!Object.hasOwn(SIZES, dtype)) throw new FileError(`its dtype ${quote(dtype)} is not known`);
    return { ...plain, bytes: count * SIZES[dtype] };
  } catch (error) {
    if (error instanceof FileError) throw new UnknownLength(error.message);
    throw error;
  }
}

/** Strings are stored one after the other, each after its length. */
function lengthOfStrings(weight: unknown, bytes: Bytes, begin: number): number {
  const { count } = checkedShape((weight as { shape?: unknown }).shape);
  const source = bytes.open();
  try {
    let at = begin;
    for (let i = 0; i < count; i++) {
      const head = source.read(at, STRING_LENGTH_BYTES);
      at += STRING_LENGTH_BYTES + new DataView(head.buffer, head.byteOffset).getUint32(0, true);
    }
    return at - begin;
  } finally {
    source.close();
  }
}

function entryOf(
  name: string,
  { shape, dtype, quantization, fault, count, bytes: length }: Declared,
  begin: number,
  bytes: Bytes,
): TensorEntry {
  if (dtype !== "float32")
    return { kind: "left out", name, shape, dtype, reason: `dtype ${quote(dtype)} is not float32` };
  if (fault) throw fault;
  const read: PanelType = quantization?.dtype === "float16" ? "float16" : "float32";
  const affine = quantization?.dtype === "float16" ? undefined : quantization;
  return {
    kind: "tensor",
    name,
    shape,
    dtype: read,
    layout: "tensorflow",
    bytes: affine ? 4 * count : length,
    open(): OpenTensor {
      const source = bytes.open();
      return affine ? dequantized(source, begin, affine) : storedNumbers(source, begin, read);
    },
  };
}
