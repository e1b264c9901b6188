import { FileError } from "../matrix/errors.js";
import type { Folder } from "./folder.js";
import { membersOf } from "./npz.js";
import { readPickle } from "./pickle.js";
import type { PickleValue } from "./pickle-values.js";
import { weightsIn } from "./scaled-weights.js";
import { type ByteSource, windowOf } from "./source.js";
import type { StoredTensor } from "./stored-tensor.js";
import type { TensorEntry } from "./tensor.js";
import { quote } from "./text.js";
import { isTorchStream, readTorchStream } from "./torch-stream.js";
import { refuseObject, torchEntries } from "./torch-tensors.js";
import { TORCH_VALUES, type TorchStorage } from "./torch-values.js";
import type { StorageBytes } from "./torch-views.js";
import { inflationLimit, isZip, openUnverified, verifyChecksum, type ZipMember } from "./zip.js";

/** Of the archive's format, not of PyTorch. */
const NEWEST_VERSION = 10;
const SHORT_TEXT = 64;

/** Whether a file was written by `torch.save`, or by TorchScript: a zip archive with a pickle, or pickles alone. */
export function isTorch(head: Uint8Array, source: ByteSource): boolean {
  if (!isZip(head)) return isTorchStream(head);
  try {
    return rootOf(membersOf(source)) !== undefined;
  } catch (error) {
    // Whoever reads it says what is wrong with it.
    if (error instanceof FileError) return false;
    throw error;
  }
}

/**
 * The tensors of a PyTorch file as the network uses them, by their paths in it; `torchEntries` says what these are, and
 * `weightsIn` what is read as what. Nothing of the pickle is run, and nothing but it is read before a tensor is opened.
 *
 * Tensors of any strides are read; those that share a storage are each there. Of quantized ones `quantizedWeight` says
 * more.
 *
 * Formats: a zip archive with ROOT/data.pkl, ROOT/data/KEY for each storage, ROOT/byteorder, ROOT/version (PyTorch 1.6 and
 * later); the same of TorchScript, whose ROOT/constants.pkl has the tensors ROOT/constants/KEY; and `readTorchStream`.
 * Sources: torch/serialization.py and torch/csrc/jit/docs/serialization.md of PyTorch.
 *
 * @param source  where the pickle is read
 * @param again  the same file, opened for the numbers of one tensor and closed with it
 * @param memory  bytes that a compressed member may inflate to; default: `inflationLimit`
 * @throws FileError if the pickle is damaged or beyond its limits, or is that of an object of an unknown class
 */
export function readTorch(
  source: ByteSource,
  again: () => ByteSource,
  _name: string,
  _folder: Folder,
  memory?: number,
): TensorEntry[] {
  return weightsIn(storedTorch(source, again, memory));
}

/** The tensors as they are stored, for `weightsIn`; `readTorch` says what is thrown. */
export function storedTorch(
  source: ByteSource,
  again: () => ByteSource,
  memory?: number,
): (StoredTensor | TensorEntry)[] {
  const head = source.read(0, Math.min(SHORT_TEXT, source.size));
  const reopened = () => {
    const file = again();
    if (file.size === source.size) return file;
    file.close();
    throw new FileError("its file has changed since the pickle was read");
  };
  if (isTorchStream(head)) return readTorchStream(source, reopened);
  const members = isZip(head) ? membersOf(source) : [];
  const root = rootOf(members);
  if (root === undefined && head[0] === 0x80)
    throw new FileError("is a pickle, and not one that torch.save wrote");
  if (root === undefined) throw new FileError("is no file of torch.save, or one of PyTorch before 0.1.10");
  return new TorchArchive(source, reopened, members, root, inflationLimit(source, memory)).entries();
}

/** The folder in the archive, with a slash. */
function rootOf(members: readonly ZipMember[]): string | undefined {
  const pickle = members.find(({ name }) => /^([^/]*\/)?data\.pkl$/.test(name));
  return pickle?.name.slice(0, -"data.pkl".length);
}

class TorchArchive {
  readonly #source: ByteSource;
  readonly #again: () => ByteSource;
  readonly #root: string;
  readonly #members = new Map<string, ZipMember | undefined>();
  readonly #verified = new Set<ZipMember>();
  /** while there is memory for them, since many tensors may share one */
  readonly #inflated = new Map<ZipMember, WeakRef<ByteSource>>();
  readonly #limit: number;

  constructor(
    source: ByteSource,
    again: () => ByteSource,
    members: readonly ZipMember[],
    root: string,
    limit: number,
  ) {
    this.#source = source;
    this.#again = again;
    this.#root = root;
    this.#limit = limit;
    for (const member of members)
      this.#members.set(member.name, this.#members.has(member.name) ? undefined : member);
  }

  entries(): (StoredTensor | TensorEntry)[] {
    const version = Number(this.#text("version") ?? 1);
    if (!(version <= NEWEST_VERSION))
      throw new FileError(`has version ${version} of PyTorch's archives, which is not known`);
    const order = this.#text("byteorder") ?? "little";
    if (order !== "little" && order !== "big")
      throw new FileError(`its byte order ${quote(order)} is not known`);
    const root = this.#pickle("data.pkl");
    refuseObject(root);
    const constants = this.#members.get(`${this.#root}constants.pkl`) ? this.#pickle("constants.pkl") : [];
    const entriesOf = (value: PickleValue, folder: string) =>
      torchEntries(value, (storage) => this.#locate(storage, folder, order === "big"), this.#source.size);
    return [...entriesOf(root, "data"), ...entriesOf(new Map([["constants", constants]]), "constants")];
  }

  #text(name: string): string | undefined {
    const member = this.#members.get(this.#root + name);
    if (!member) return undefined;
    const content = this.#content(this.#source, member);
    return new TextDecoder().decode(content.read(0, Math.min(SHORT_TEXT, content.size))).trim();
  }

  #pickle(name: string): PickleValue {
    const content = this.#content(this.#source, this.#member(this.#root + name));
    return readPickle(content, 0, TORCH_VALUES, this.#source.size).value;
  }

  #locate({ key }: TorchStorage, folder: string, bigEndian: boolean): StorageBytes {
    const member = this.#member(`${this.#root}${folder}/${key}`);
    return {
      ...{ size: member.size, begin: 0, bigEndian, unpacked: member.method !== 0 },
      open: () => {
        const file = this.#again();
        try {
          const content = this.#content(file, member);
          return { ...windowOf(content, 0, content.size), close: () => file.close() };
        } catch (error) {
          file.close();
          throw error;
        }
      },
    };
  }

  /** @throws FileError if it is not there, or more than once */
  #member(name: string): ZipMember {
    const member = this.#members.get(name);
    if (member) return member;
    throw new FileError(`its archive has ${this.#members.has(name) ? "more than one" : "no"} ${quote(name)}`);
  }

  /** Verified when it is opened for the first time; without a checksum where PyTorch was told to compute none. */
  #content(file: ByteSource, member: ZipMember): ByteSource {
    const kept = this.#inflated.get(member)?.deref();
    if (kept) return kept;
    const content = openUnverified(file, member, this.#limit);
    if (member.crc !== 0 && !this.#verified.has(member)) verifyChecksum(content, member);
    this.#verified.add(member);
    if (member.method !== 0) this.#inflated.set(member, new WeakRef(content));
    return content;
  }
}
