import { FileError } from "../matrix/errors.js";
import { readPickle } from "./pickle.js";
import type { PickleReader, PickleValue } from "./pickle-values.js";
import type { ByteSource } from "./source.js";
import type { StoredTensor } from "./stored-tensor.js";
import type { TensorEntry } from "./tensor.js";
import { refuseObject, torchEntries } from "./torch-tensors.js";
import { TORCH_VALUES, TorchStorage } from "./torch-values.js";
import type { StorageBytes } from "./torch-views.js";

/** The first pickle, an integer, as Python writes it: ten bytes, low byte first, and the end of the pickle. */
const MAGIC = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
/** Where it may begin: behind the protocol, and in protocol 4 and later behind the length of a frame. */
const MAGIC_PLACES = [2, 11];

const PROTOCOL = 1001;
const COUNT_BYTES = 8;

/** Whether these first bytes are those of a file that PyTorch wrote before 1.6, or in that format. */
export function isTorchStream(head: Uint8Array): boolean {
  return head[0] === 0x80 && MAGIC_PLACES.some((at) => MAGIC.every((byte, i) => head[at + i] === byte));
}

/**
 * The tensors of a file in the format of PyTorch before 1.6: pickles of a magic number, of the protocol's number, of a
 * description of the machine, of what was saved, and of the storages' keys; then of each storage the number of its
 * numbers and these, low byte first.
 *
 * Source: torch/serialization.py of PyTorch, `_legacy_save`.
 *
 * @param again  the same file, opened for the numbers of one tensor and closed with it
 * @throws FileError if it is damaged, or holds an object of an unknown class
 */
export function readTorchStream(source: ByteSource, again: () => ByteSource): (StoredTensor | TensorEntry)[] {
  const storages = new Map<string, TorchStorage>();
  let at = 0;
  const next = (reader: PickleReader = TORCH_VALUES): PickleValue => {
    const { value, end } = readPickle(source, at, reader);
    at = end;
    return value;
  };
  next();
  const protocol = next();
  if (protocol !== PROTOCOL)
    throw new FileError("has another version of PyTorch's first format than 1001, which is not known");
  const machine = next();
  if (machine instanceof Map && machine.get("little_endian") === false)
    throw new FileError("was written on a machine with another byte order");
  const root = next({
    call: TORCH_VALUES.call,
    persistent(id) {
      const part = TORCH_VALUES.persistent(id);
      if (part instanceof TorchStorage && !storages.has(part.key)) storages.set(part.key, part);
      return part;
    },
  });
  refuseObject(root);
  const places = placesOf(source, next(), at, storages);
  const locate = ({ key }: TorchStorage): StorageBytes => {
    const place = places.get(key);
    if (!place) throw new FileError(`the file ends before its storage, or is damaged there`);
    return { ...place, bigEndian: false, unpacked: false, open: again };
  };
  return torchEntries(root, locate, source.size);
}

/** Where the bytes of each storage are; without those behind a damaged one. */
function placesOf(
  source: ByteSource,
  keys: PickleValue,
  begin: number,
  storages: ReadonlyMap<string, TorchStorage>,
): Map<string, Pick<StorageBytes, "begin" | "size">> {
  const places = new Map<string, Pick<StorageBytes, "begin" | "size">>();
  if (!Array.isArray(keys)) throw new FileError("does not say in which order its storages are");
  let at = begin;
  for (const key of keys) {
    const storage =
      typeof key === "string" || typeof key === "number" ? storages.get(String(key)) : undefined;
    if (!storage || at + COUNT_BYTES > source.size) break;
    const head = source.read(at, COUNT_BYTES);
    const count = Number(new DataView(head.buffer, head.byteOffset, COUNT_BYTES).getBigInt64(0, true));
    at += COUNT_BYTES;
    if (count !== storage.count || at + storage.bytes > source.size) break;
    places.set(storage.key, { begin: at, size: storage.bytes });
    at += storage.bytes;
  }
  return places;
}
