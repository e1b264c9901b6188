import { FileError, SpectralNormError } from "../matrix/errors.js";
import type { PanelType } from "../matrix/types.js";
import type { Folder } from "./folder.js";
import { BLOCK_FORMATS, type BlockFormat, blockNumbers } from "./gguf-blocks.js";
import { type ByteSource, readInto } from "./source.js";
import {
  Buffer64,
  BYTES,
  checkedShape,
  type FailedTensor,
  type OpenTensor,
  storedNumbers,
  type TensorEntry,
} from "./tensor.js";
import { quote } from "./text.js";

const MAGIC = [0x47, 0x47, 0x55, 0x46];

/** The names of the types, by the numbers that stand for them in a file. */
const TYPES: readonly (string | undefined)[] = [
  ...["F32", "F16", "Q4_0", "Q4_1", "Q4_2", "Q4_3", "Q5_0", "Q5_1", "Q8_0", "Q8_1"],
  ...["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_K"],
  ...["IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS"],
  ...["I8", "I16", "I32", "I64", "F64", "IQ1_M", "BF16"],
  ...["Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8", "TQ1_0", "TQ2_0"],
  ...["IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8", "MXFP4", "NVFP4"],
];

/** The types that are read as they are stored. */
const PLAIN: Readonly<Record<string, PanelType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
};

const READ: readonly string[] = [...Object.keys(PLAIN), ...Object.keys(BLOCK_FORMATS)];

/** Bytes of integers, which are no weights but take their place in the file. */
const INTEGERS: Readonly<Record<string, number>> = { I8: 1, I16: 2, I32: 4, I64: 8 };

/** Numbers and bytes of the blocks of types that are not read, but take their place as well. */
const OTHER_BLOCKS: Readonly<Record<string, Pick<BlockFormat, "length" | "bytes">>> = {
  Q8_K: { length: 256, bytes: 292 },
  ...{ IQ1_S: { length: 256, bytes: 50 }, IQ1_M: { length: 256, bytes: 56 } },
  ...{ IQ2_XXS: { length: 256, bytes: 66 }, IQ2_XS: { length: 256, bytes: 74 } },
  ...{ IQ2_S: { length: 256, bytes: 82 }, IQ3_XXS: { length: 256, bytes: 98 } },
  ...{ IQ3_S: { length: 256, bytes: 110 }, TQ1_0: { length: 256, bytes: 54 } },
  ...{ TQ2_0: { length: 256, bytes: 66 }, NVFP4: { length: 64, bytes: 36 } },
};

/** Bytes of the values in the metadata, by the numbers of their types; strings and arrays have no fixed length. */
const VALUE_BYTES: readonly (number | undefined)[] = [
  ...[1, 1, 2, 2, 4, 4, 4, 1],
  ...[undefined, undefined, 8, 8, 8],
];
const STRING = 8;
const ARRAY = 9;

/** Chosen: arrays of arrays are allowed, and no model has them. */
const DEPTH_LIMIT = 8;

/** The specification's limit for keys; names of tensors have at most 64 bytes. */
const NAME_LIMIT = 65535;

/** The limit of ggml. */
const AXES_LIMIT = 4;

const DEFAULT_ALIGNMENT = 32;

/** The least that a tensor and a key with its value take in the header. */
const LEAST = { tensor: 24, pair: 13 };

/** Chosen: more experts than any model has. */
const EXPERTS_LIMIT = 4096;

/** What the header says of a tensor. */
interface Described {
  readonly name: string;
  /** fastest first */
  readonly dims: readonly number[];
  readonly type: number;
  /** from the first byte behind the header and its padding */
  readonly offset: number;
}

interface Header {
  readonly tensors: readonly Described[];
  /** where the tensors' bytes begin */
  readonly start: number;
  readonly alignment: number;
  /** the files that the model is said to be split into */
  readonly parts: number;
}

/** A tensor of which the bytes are known to be there. */
interface Placed {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly count: number;
  readonly begin: number;
  readonly end: number;
}

/** Whether these first bytes are those of a GGUF file. */
export function isGguf(head: Uint8Array): boolean {
  return MAGIC.every((byte, i) => head[i] === byte);
}

/**
 * The tensors of a GGUF file, in the order of its header, or of all files of a model of which it is the first:
 * `name-00001-of-00003.gguf`. Nothing but headers is read.
 *
 * | stored | read as |
 * |---|---|
 * | F64, F32 | themselves |
 * | F16, BF16 | their bits, in a `Uint16Array` |
 * | Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K … Q6_K, IQ4_NL, IQ4_XS, MXFP4 | float32 |
 * | anything else | left out, by name |
 *
 * Axes come slowest first, as [out, in]. Stacked experts, of which the names contain `_exps`, are a tensor each:
 * `name[0]`, `name[1]` ….
 *
 * A tensor fails, and the others do not, if its bytes reach beyond the file, overlap those of another (then both fail),
 * or are not aligned, or if its name has been there before. A missing part fails, and the others are read.
 *
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
 *
 * @param source  where the header is read
 * @param again  the same file, opened for the numbers of one tensor and closed with it
 * @param name  the file's, which tells its other parts
 * @param folder  where they are
 * @throws FileError if the header is damaged, or of another version
 */
export function readGguf(
  source: ByteSource,
  again: () => ByteSource,
  name: string,
  folder: Folder,
): TensorEntry[] {
  const seen = new Set<string>();
  const header = readHeader(source);
  const entries = entriesOf(header, source.size, again, seen);
  const part = /([^/\\]*)-(\d{5})-of-(\d{5})(\.gguf)$/i.exec(name);
  if (!part) return header.parts > 1 ? [...entries, unnamedParts(header.parts)] : entries;
  const [, stem, number, total, extension] = part;
  // Another part than the first is read alone: all together, they are read with the first.
  if (Number(number) !== 1) return entries;
  const others = Array.from(
    { length: Math.max(0, Number(total) - 1) },
    (_, k) => `${stem}-${fiveDigits(k + 2)}-of-${total}${extension}`,
  );
  return [...entries, ...others.flatMap((file) => readPart(file, folder, seen))];
}

function fiveDigits(part: number): string {
  return String(part).padStart(5, "0");
}

function unnamedParts(parts: number): FailedTensor {
  const error = new FileError(
    `the model is split into ${parts} files, and only this one is read: its name does not end in ` +
      `"-00001-of-${fiveDigits(parts)}.gguf", by which the others are found`,
  );
  return { kind: "failed", name: "other parts", error };
}

function readPart(file: string, folder: Folder, seen: Set<string>): TensorEntry[] {
  let source: ByteSource | undefined;
  try {
    source = folder.open(file);
    const entries = entriesOf(readHeader(source), source.size, () => folder.open(file), seen);
    return entries.map((entry) =>
      entry.kind === "failed"
        ? {
            ...entry,
            error: new FileError(`in ${quote(file)}: ${entry.error.message}`),
            ...(entry.group && { group: `${entry.group} ${file}` }),
          }
        : entry,
    );
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    return [{ kind: "failed", name: file, error, group: `part: ${error.message}` }];
  } finally {
    source?.close();
  }
}

const CHUNK_BYTES = 2 ** 16;

/** Reads a header from its beginning, a chunk of it at a time. */
class HeaderReader {
  readonly #source: ByteSource;
  readonly #buffer = new Buffer64();
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #chunk = new Uint8Array(0);
  #view = new DataView(this.#chunk.buffer);
  /** the offset of the chunk in the file */
  #start = 0;
  /** of the next byte in the file */
  at = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  get left(): number {
    return this.#source.size - this.at;
  }

  /** Makes the next bytes those of the chunk from the index that is returned, and moves behind them. */
  #take(length: number): number {
    if (length > this.left)
      throw new FileError(
        `is cut short or damaged: its header goes on beyond the ${this.#source.size} bytes`,
      );
    if (this.at < this.#start || this.at + length > this.#start + this.#chunk.length) {
      this.#start = this.at;
      this.#chunk = this.#buffer.take(Math.min(this.left, Math.max(length, CHUNK_BYTES)));
      readInto(this.#source, this.at, this.#chunk);
      this.#view = new DataView(this.#chunk.buffer, this.#chunk.byteOffset, this.#chunk.length);
    }
    const index = this.at - this.#start;
    this.at += length;
    return index;
  }

  u16(): number {
    // The bytes are taken before the view of them is.
    const index = this.#take(2);
    return this.#view.getUint16(index, true);
  }

  u32(): number {
    const index = this.#take(4);
    return this.#view.getUint32(index, true);
  }

  /** Beyond 2⁵³ rounded, and still beyond. */
  u64(): number {
    const low = this.u32();
    return low + this.u32() * 2 ** 32;
  }

  skip(length: number): void {
    if (length > this.left) this.#take(length);
    this.at += length;
  }

  name(): string {
    const length = this.u64();
    if (length > NAME_LIMIT)
      throw new FileError(
        `its header is damaged: a name of ${length} bytes at byte ${this.at}, of at most ${NAME_LIMIT}`,
      );
    const index = this.#take(length);
    return this.#decoder.decode(this.#chunk.subarray(index, index + length));
  }
}

function readHeader(source: ByteSource): Header {
  const reader = new HeaderReader(source);
  if (!isGguf(source.read(0, Math.min(MAGIC.length, source.size))))
    throw new FileError('is not a GGUF file: it does not begin with "GGUF"');
  reader.skip(MAGIC.length);
  refuseVersion(reader.u32());
  const tensorCount = reader.u64();
  const pairCount = reader.u64();
  refuseCount(tensorCount, LEAST.tensor, "tensors", source.size);
  refuseCount(pairCount, LEAST.pair, "keys", source.size);
  const { alignment, parts } = readMetadata(reader, pairCount);
  const tensors: Described[] = [];
  for (let i = 0; i < tensorCount; i++) {
    const name = reader.name();
    const axes = reader.u32();
    if (axes > AXES_LIMIT)
      throw new FileError(
        `its header is damaged: ${quote(name)} has ${axes} axes, and GGUF has at most ${AXES_LIMIT}`,
      );
    const dims = Array.from({ length: axes }, () => reader.u64());
    const type = reader.u32();
    tensors.push({ name, dims, type, offset: reader.u64() });
  }
  const start = Math.ceil(reader.at / alignment) * alignment;
  return { tensors, start, alignment, parts };
}

function refuseVersion(version: number): void {
  if (version === 2 || version === 3) return;
  // The bytes of a small number, in the other order.
  if (version !== 0 && version % 2 ** 16 === 0)
    throw new FileError("is big-endian GGUF, and only little-endian GGUF is read");
  throw new FileError(
    `is GGUF of version ${version}, and versions 2 and 3 are read${version === 1 ? "; convert the model again" : ""}`,
  );
}

function refuseCount(count: number, least: number, what: string, size: number): void {
  if (count * least > size)
    throw new FileError(
      `is cut short or damaged: ${count} ${what} are promised, more than its ${size} bytes can hold`,
    );
}

/** What is needed of the metadata; the rest, such as the words of a tokenizer, is skipped. */
function readMetadata(reader: HeaderReader, pairs: number): Pick<Header, "alignment" | "parts"> {
  const found = new Map<string, number>();
  for (let i = 0; i < pairs; i++) {
    const key = reader.name();
    const type = reader.u32();
    if (key !== "general.alignment" && key !== "split.count") {
      skipValue(reader, type, key, 0);
      continue;
    }
    if (found.has(key)) throw new FileError(`has the key ${quote(key)} twice`);
    if (type === 2) found.set(key, reader.u16());
    else if (type === 4) found.set(key, reader.u32());
    else if (type === 10) found.set(key, reader.u64());
    else throw new FileError(`its ${key} is not an unsigned integer`);
  }
  const alignment = found.get("general.alignment") ?? DEFAULT_ALIGNMENT;
  if (!(alignment >= 1 && alignment <= 2 ** 31 && Number.isInteger(Math.log2(alignment))))
    throw new FileError(`its general.alignment ${alignment} is not a power of two`);
  return { alignment, parts: found.get("split.count") ?? 1 };
}

function skipValue(reader: HeaderReader, type: number, key: string, depth: number): void {
  const bytes = VALUE_BYTES[type];
  if (bytes !== undefined) reader.skip(bytes);
  else if (type === STRING) reader.skip(reader.u64());
  else if (type === ARRAY && depth < DEPTH_LIMIT) skipArray(reader, key, depth + 1);
  else
    throw new FileError(
      `its header is damaged: the value of ${quote(key)} ${
        type === ARRAY ? `is nested deeper than ${DEPTH_LIMIT} levels` : `has the unknown type ${type}`
      }`,
    );
}

function skipArray(reader: HeaderReader, key: string, depth: number): void {
  const type = reader.u32();
  const length = reader.u64();
  const each = VALUE_BYTES[type];
  if (each !== undefined) reader.skip(length * each);
  // Each takes bytes, so a length that is too large comes to the end of the file.
  else for (let i = 0; i < length; i++) skipValue(reader, type, key, depth);
}

/** A tensor extends beyond the end of the file, and so do all that follow. */
class CutShort extends FileError {}

function entriesOf(header: Header, size: number, again: () => ByteSource, seen: Set<string>): TensorEntry[] {
  const outcomes = header.tensors.map((described) => {
    try {
      if (seen.has(described.name)) throw new FileError("is there a second time under the same name");
      seen.add(described.name);
      return placed(described, header, size);
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      const failed: FailedTensor = {
        ...{ kind: "failed", name: described.name, error },
        ...(error instanceof CutShort && { group: "cut short" }),
      };
      return failed;
    }
  });
  const overlaps = overlapping(outcomes.filter((outcome): outcome is Placed => !("kind" in outcome)));
  return outcomes.flatMap((outcome): TensorEntry[] => {
    if ("kind" in outcome) return [outcome];
    const other = overlaps.get(outcome);
    if (other === undefined) return entriesOfTensor(outcome, size, again);
    const error = new FileError(`its bytes overlap those of ${quote(other)}`);
    return [{ kind: "failed", name: outcome.name, error }];
  });
}

function placed({ name, dims, type, offset }: Described, header: Header, size: number): Placed | TensorEntry {
  const lengths = dims.toReversed();
  for (const length of lengths)
    if (!Number.isSafeInteger(length)) throw new FileError(`has an axis of ${length}, beyond 2^53`);
  const { shape, count } = checkedShape(lengths);
  const known = TYPES[type];
  const leave = (dtype: string, reason: string): TensorEntry => ({
    ...{ kind: "left out", name, shape, dtype, reason },
  });
  if (known === undefined) return leave(`type ${type}`, noneOf(String(type)));
  if (!READ.includes(known) && !Object.hasOwn(INTEGERS, known) && !Object.hasOwn(OTHER_BLOCKS, known))
    return leave(known, noneOf(known));
  if (!Number.isSafeInteger(offset) || offset % header.alignment !== 0)
    throw new FileError(`its offset ${offset} is not a multiple of the alignment, ${header.alignment}`);
  const begin = header.start + offset;
  const end = begin + bytesOf(known, shape, count);
  if (!(end <= size))
    throw new CutShort(`ends at byte ${end}, and the file has ${size}: it is cut short or damaged`);
  return { name, type: known, shape, count, begin, end };
}

function noneOf(type: string): string {
  return `its type ${type} is none of ${READ.join(", ")}`;
}

/** Of a tensor of one of the types whose layout is known. */
function bytesOf(type: string, shape: readonly number[], count: number): number {
  if (Object.hasOwn(INTEGERS, type)) return count * INTEGERS[type];
  if (Object.hasOwn(PLAIN, type)) return count * BYTES[PLAIN[type]];
  const { length, bytes } = BLOCK_FORMATS[type] ?? OTHER_BLOCKS[type];
  const row = shape.at(-1) ?? 1;
  if (row % length !== 0)
    throw new FileError(`its rows of ${row} numbers are not made of ${type}'s blocks of ${length}`);
  return (count / length) * bytes;
}

/** The tensors whose bytes overlap, and the name of one that each overlaps. */
function overlapping(tensors: readonly Placed[]): Map<Placed, string> {
  const found = new Map<Placed, string>();
  let furthest: Placed | undefined;
  for (const one of tensors.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (one.begin === one.end) continue;
    if (furthest && one.begin < furthest.end) {
      found.set(one, furthest.name);
      found.set(furthest, one.name);
    }
    if (!furthest || one.end > furthest.end) furthest = one;
  }
  return found;
}

/** One entry, or one for each expert of a stack of them. */
function entriesOfTensor(tensor: Placed, size: number, again: () => ByteSource): TensorEntry[] {
  const { name, type, shape, count, begin, end } = tensor;
  if (Object.hasOwn(INTEGERS, type))
    return [{ kind: "left out", name, shape, dtype: type, reason: `its type ${type} is one of integers` }];
  if (!READ.includes(type)) return [{ kind: "left out", name, shape, dtype: type, reason: noneOf(type) }];
  if (!/_exps(\.|$)/.test(name) || shape[0] > EXPERTS_LIMIT || count === 0)
    return [entryOf(tensor, size, again)];
  if (shape.length === 2)
    return [{ kind: "left out", name, shape, dtype: type, reason: "is a vector for each expert" }];
  if (shape.length !== 3) return [entryOf(tensor, size, again)];
  const [experts, ...matrix] = shape;
  const bytes = (end - begin) / experts;
  return Array.from({ length: experts }, (_, k) =>
    entryOf(
      {
        ...{ name: `${name}[${k}]`, type, shape: matrix, count: count / experts },
        ...{ begin: begin + k * bytes, end: begin + (k + 1) * bytes },
      },
      size,
      again,
    ),
  );
}

function entryOf(
  { name, type, shape, count, begin }: Placed,
  size: number,
  again: () => ByteSource,
): TensorEntry {
  const plain = Object.hasOwn(PLAIN, type) ? PLAIN[type] : undefined;
  const dtype = plain ?? "float32";
  return {
    ...{ kind: "tensor", name, shape, dtype, layout: "pytorch", bytes: count * BYTES[dtype] },
    open(): OpenTensor {
      const source = again();
      if (source.size === size)
        return plain ? storedNumbers(source, begin, plain) : blockNumbers(source, begin, BLOCK_FORMATS[type]);
      source.close();
      throw new FileError("its file has changed since the header was read");
    },
  };
}
