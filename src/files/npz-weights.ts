import { FileError } from "../matrix/errors.js";
import type { PanelData } from "../matrix/types.js";
import { type NumberType, partsOfType } from "./complex-numbers.js";
import { readNpyData } from "./npy.js";
import { countNpyElements, isNpy, NPY_HEADER_BYTES, type NpyHeader, readNpyHeader } from "./npy-header.js";
import { eachMember, membersOf } from "./npz.js";
import type { ByteSource } from "./source.js";
import { BYTES, type OpenTensor, storedNumbers, type TensorEntry } from "./tensor.js";
import { inflationLimit, openZipMember, readZipHead, type ZipMember } from "./zip.js";

const READ: readonly string[] = [
  "float64",
  "float32",
  "float16",
  "complex128",
  "complex64",
] satisfies NumberType[];

/**
 * The tensors of a `.npz` file, in the order of its directory. Nothing but their headers is read; a member's checksum
 * is verified when it is opened. Integers and other types are left out.
 *
 * @param source  where the headers are read
 * @param again  the same file, opened for the numbers of one tensor and closed with it
 * @param memory  bytes that a compressed one may inflate to; default: `inflationLimit`
 * @throws FileError if the archive's directory is damaged
 */
export function readNpzTensors(source: ByteSource, again: () => ByteSource, memory?: number): TensorEntry[] {
  const members = membersOf(source);
  if (members.some(({ name }) => /(^|\/)data\.pkl$/.test(name)))
    throw new FileError(
      "is a PyTorch file, whose tensors are described by a pickle; save it with safetensors.torch.save_file",
    );
  const entries = eachMember(source, members, (member, key) =>
    entryOf(source, member, key, again, inflationLimit(source, memory)),
  );
  return Array.from(entries, (entry) =>
    entry.kind === "failed" && "key" in entry
      ? { kind: "failed", name: entry.key, error: entry.error }
      : entry,
  );
}

function entryOf(
  source: ByteSource,
  member: ZipMember,
  name: string,
  again: () => ByteSource,
  limit: number,
): TensorEntry {
  const head = readZipHead(source, member, NPY_HEADER_BYTES);
  if (!isNpy(head.read(0, Math.min(6, head.size)))) {
    if (member.name.endsWith(".npy")) throw new FileError("is not a .npy file");
    return { kind: "left out", name, reason: "is not a .npy file" };
  }
  const header = readNpyHeader(head);
  const { shape, fortran } = header;
  const { name: dtype, bigEndian } = header.dtype;
  if (!READ.includes(dtype))
    return { kind: "left out", name, shape, dtype, reason: `dtype ${dtype} is none of ${READ.join(", ")}` };
  const count = countNpyElements(header, member.size);
  const read = dtype as NumberType;
  return {
    kind: "tensor",
    name,
    shape,
    dtype: read,
    layout: "tensorflow",
    reversed: fortran && shape.length > 1,
    bytes: count * BYTES[read],
    unpacked: member.method !== 0 || bigEndian,
    open() {
      const file = again();
      try {
        const tensor = npyNumbers(openZipMember(file, member, limit), header, read);
        return { numbers: tensor.numbers, close: () => file.close() };
      } catch (error) {
        file.close();
        throw error;
      }
    },
  };
}

/** The numbers of an array; those whose high byte is first are converted, all of them at once. */
export function npyNumbers(
  content: ByteSource,
  header: NpyHeader,
  dtype: NumberType,
): Pick<OpenTensor, "numbers"> {
  if (!header.dtype.bigEndian) return storedNumbers(content, header.dataOffset, dtype);
  const data = readNpyData(content, header) as PanelData;
  const parts = partsOfType(dtype);
  return { numbers: (first, count) => data.subarray(parts * first, parts * (first + count)) as PanelData };
}
