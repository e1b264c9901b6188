import { FileError, SpectralNormError } from "../matrix/errors.js";
import { isObject, parseJson } from "./json.js";
import { FOREIGN_BYTES, refuseForeign } from "./refuse-foreign.js";
import { bytesOfNumber } from "./scaled-weights.js";
import type { ByteSource } from "./source.js";
import type { StoredTensor } from "./stored-tensor.js";
import { checkedShape, type FailedTensor } from "./tensor.js";
import { quote } from "./text.js";

const LENGTH_BYTES = 8;

/** The limit of the reference implementation. */
const HEADER_LIMIT = 100_000_000;

/** What a header says of a tensor, checked but for the place of its bytes. */
interface Declared {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly count: number;
  /** of its first byte and behind its last, in the file */
  readonly begin: number;
  readonly end: number;
}

/** Whether these first bytes are those of a safetensors file. */
export function isSafetensors(head: Uint8Array): boolean {
  return head.length > LENGTH_BYTES && head[LENGTH_BYTES] === 0x7b && head[LENGTH_BYTES - 1] === 0;
}

/**
 * The tensors of a safetensors file as they are stored, for `weightsIn`, in the order in which their bytes lie. Nothing
 * but the header is read.
 *
 * A tensor fails, and the others do not, if its bytes are not as many as its
 * shape and dtype take, reach beyond the file, or overlap those of another (then both fail).
 *
 * Format: https://huggingface.co/docs/safetensors, a length of 8 bytes, a JSON header, the numbers.
 *
 * @param source  where the header is read
 * @param again  the same file, opened for the numbers of one tensor and closed with it
 * @throws FileError if the header is damaged, has a key twice, or is longer than the file or 100 MB
 */
export function storedTensors(source: ByteSource, again: () => ByteSource): (StoredTensor | FailedTensor)[] {
  const { fields, start } = readHeader(source);
  const declared: Declared[] = [];
  const failed = new Map<string, Omit<FailedTensor, "kind" | "name">>();
  for (const [name, field] of Object.entries(fields)) {
    if (name === "__metadata__") continue;
    try {
      declared.push(declaredIn(name, field, start, source.size));
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      failed.set(name, error instanceof CutShort ? { error, group: "cut short" } : { error });
    }
  }
  declared.sort((a, b) => a.begin - b.begin || a.end - b.end);
  for (const [name, other] of overlapping(declared))
    failed.set(name, { error: new FileError(`its bytes overlap those of ${quote(other)}`) });
  return [
    ...declared.filter(({ name }) => !failed.has(name)).map((one) => storedOf(one, source.size, again)),
    ...[...failed].map(([name, why]): FailedTensor => ({ kind: "failed", name, ...why })),
  ];
}

/** A tensor extends beyond the end of the file, and so do all that follow. */
class CutShort extends FileError {}

function readHeader(source: ByteSource) {
  if (source.size === 0) throw new FileError("is empty");
  refuseForeign(source.read(0, Math.min(FOREIGN_BYTES, source.size)));
  if (source.size < LENGTH_BYTES) throw new FileError("is cut short within the safetensors header");
  const bytes = source.read(0, LENGTH_BYTES);
  const length = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  const held = source.size - LENGTH_BYTES;
  if (length > BigInt(held))
    throw new FileError(`is cut short: a header of ${length} bytes is promised, ${held} are there`);
  if (length > BigInt(HEADER_LIMIT))
    throw new FileError(
      `its header of ${length} bytes is longer than the ${HEADER_LIMIT} of any safetensors file`,
    );
  let header: unknown;
  try {
    header = parseJson(source.read(LENGTH_BYTES, Number(length)));
  } catch (error) {
    if (error instanceof FileError) throw new FileError(`its header ${error.message}`);
    throw error;
  }
  if (!isObject(header)) throw new FileError("its header is not a JSON object");
  return { fields: header, start: LENGTH_BYTES + Number(length) };
}

function declaredIn(name: string, field: unknown, start: number, size: number): Declared {
  if (!isObject(field)) throw new FileError("its entry in the header is not an object");
  const { dtype, data_offsets: offsets } = field;
  if (typeof dtype !== "string") throw new FileError("has no dtype");
  const { shape, count } = checkedShape(field["shape"]);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every((at) => Number.isSafeInteger(at)))
    throw new FileError("its data_offsets are not two integers");
  const [begin, end] = offsets as [number, number];
  if (begin < 0 || end < begin) throw new FileError(`its data_offsets [${begin}, ${end}] are not a range`);
  if (start + end > size)
    throw new CutShort(`ends at byte ${start + end}, and the file has ${size}: it is cut short or damaged`);
  const each = bytesOfNumber(dtype);
  if (each !== undefined && count * each !== end - begin)
    throw new FileError(
      `[${shape.join(", ")}] ${dtype} takes ${count * each} bytes, and its data_offsets have ${end - begin}`,
    );
  return { name, dtype, shape, count, begin: start + begin, end: start + end };
}

/** Pairs of names whose bytes overlap, each name at least once, of tensors in the order of their first bytes. */
function overlapping(declared: readonly Declared[]): [string, string][] {
  const pairs: [string, string][] = [];
  let furthest: Declared | undefined;
  for (const one of declared) {
    if (one.begin === one.end) continue;
    if (furthest && one.begin < furthest.end)
      pairs.push([one.name, furthest.name], [furthest.name, one.name]);
    if (!furthest || one.end > furthest.end) furthest = one;
  }
  return pairs;
}

function storedOf(
  { name, dtype, shape, count, begin, end }: Declared,
  size: number,
  again: () => ByteSource,
): StoredTensor {
  return {
    kind: "stored",
    ...{ name, dtype, shape, count, begin },
    bytes: end - begin,
    open() {
      const source = again();
      if (source.size === size) return source;
      source.close();
      throw new FileError("its file has changed since the header was read");
    },
  };
}
