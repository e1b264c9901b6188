import { FileError, SpectralNormError } from "../matrix/errors.js";
import { type PickleDictionary, PickleObject, type PickleValue } from "./pickle-values.js";
import type { StoredTensor } from "./stored-tensor.js";
import type { TensorEntry } from "./tensor.js";
import { quote } from "./text.js";
import { quantizedWeight } from "./torch-quantized.js";
import { TorchTensor, UnreadTensor } from "./torch-values.js";
import { type LocateStorage, rowMajor, storedTensorOf } from "./torch-views.js";

/** Chosen: deeper than any checkpoint. */
const DEPTH = 100;

/** Chosen: longer than any name. A hostile file could repeat a long key at every level, and at every tensor. */
const NAME_LIMIT = 2 ** 12;
const NAMES_LEAST = 2 ** 22;

/** Chosen: tensors for each byte of the file; one takes some 300, and a kilobyte of memory. */
const TENSORS_LEAST = 2 ** 16;
const TENSORS_TIMES = 1 / 64;

/** Chosen: without it, a small storage could be the numbers of any number of tensors. */
const NUMBERS_LEAST = 2 ** 26;
const NUMBERS_TIMES = 16;

/** Chosen: the most classes that are named. */
const CLASSES = 5;

/**
 * The tensors in what a file of PyTorch holds, each by its path: keys, and indices of lists, joined by dots. A module of
 * TorchScript has its attributes' names, which are those of its state dict.
 *
 * Numbers, texts and the like are no tensors and are passed over. Objects of unknown classes are left out, with what is
 * in them. If a dictionary or list is there twice, its tensors have the first path.
 *
 * @param root  the value of the pickle
 * @param fileSize  bytes; views of the same storage may have 64 MiB or 16 times as many together
 * @throws FileError if there are more tensors or longer names than a file of that size can have
 */
export function torchEntries(
  root: PickleValue,
  locate: LocateStorage,
  fileSize: number,
): (StoredTensor | TensorEntry)[] {
  const walk = new Walk(locate, fileSize);
  walk.visit(root instanceof TorchTensor ? "tensor" : "", root, 0);
  return [...walk.entries, ...walk.unknown()];
}

/**
 * Refuses an object of an unknown class.
 *
 * @param root  the value of the pickle
 * @throws FileError
 */
export function refuseObject(root: PickleValue): void {
  if (!(root instanceof PickleObject) || isScripted(root)) return;
  throw new FileError(
    isModule(root)
      ? `is a whole module of class ${quote(root.maker)}, and nothing of a pickle is run; save its state_dict() instead`
      : `is an object of class ${quote(root.maker)}, and nothing of a pickle is run`,
  );
}

type Container = PickleValue[] | PickleDictionary;

class Walk {
  readonly entries: (StoredTensor | TensorEntry)[] = [];
  readonly #locate: LocateStorage;
  readonly #fileSize: number;
  #bytes = 0;
  #tensors = 0;
  #characters = 0;
  readonly #names = new Set<string>();
  readonly #objects: { readonly name: string; readonly maker: string }[] = [];
  /** the first path of each container, and whether there were tensors in it */
  readonly #seen = new Map<Container, { readonly path: string; tensors: boolean }>();

  constructor(locate: LocateStorage, fileSize: number) {
    this.#locate = locate;
    this.#fileSize = fileSize;
  }

  visit(path: string, value: PickleValue, depth: number): void {
    if (value instanceof TorchTensor) this.#add(path, () => this.#tensor(path, value));
    else if (value instanceof UnreadTensor) this.#add(path, () => unreadEntry(path, value));
    else if (depth > DEPTH) this.#tooDeep(path);
    else if (path.length > NAME_LIMIT) this.#named(path, () => {});
    else if (value instanceof PickleObject) this.#object(path, value, depth);
    else if (Array.isArray(value) || value instanceof Map) this.#container(path, value, depth);
  }

  /** The objects that are left out, which together take one line. */
  unknown(): TensorEntry[] {
    const makers = [...new Set(this.#objects.map(({ maker }) => maker))];
    const shown = makers.slice(0, CLASSES).map((maker) => quote(maker));
    if (makers.length > CLASSES) shown.push(`${makers.length - CLASSES} more`);
    const reason = `is an object, and nothing of a pickle is run: ${shown.join(", ")}`;
    return this.#objects.map(({ name }) => ({ kind: "left out", name, reason }));
  }

  #container(path: string, value: Container, depth: number): void {
    const before = this.#seen.get(value);
    if (before) {
      const reason = `is the same as ${quote(before.path)}`;
      if (before.tensors) this.#add(path, () => ({ kind: "left out", name: path, reason }));
      return;
    }
    const record = { path, tensors: false };
    this.#seen.set(value, record);
    const count = this.entries.length;
    const below = (key: string, item: PickleValue) => {
      if (typeof item !== "object" || item === null) return;
      const short = key.slice(0, NAME_LIMIT + 1);
      this.visit(path === "" ? short : `${path}.${short}`, item, depth + 1);
    };
    if (Array.isArray(value)) for (const [k, item] of value.entries()) below(String(k), item);
    else for (const [key, item] of value) below(keyName(key), item);
    record.tensors = this.entries.length > count;
  }

  #object(path: string, object: PickleObject, depth: number): void {
    const { maker, state } = object;
    if (isScripted(object)) {
      if (state !== undefined) this.visit(path, state, depth + 1);
      return;
    }
    const reason = `is a whole module of class ${quote(maker)}, and nothing of a pickle is run; save its state_dict()`;
    if (isModule(object)) this.#add(path, () => ({ kind: "left out", name: path, reason }));
    else this.#named(path, (name) => this.#objects.push({ name, maker }));
  }

  #tooDeep(path: string): void {
    const reason = `is nested deeper than ${DEPTH} levels`;
    this.#add(path, () => ({ kind: "left out", name: path, reason }));
  }

  #named(path: string, use: (name: string) => void): void {
    const name = path.slice(0, NAME_LIMIT);
    this.#characters += name.length;
    if (this.#characters > Math.max(NAMES_LEAST, this.#fileSize))
      throw new FileError("the names of its tensors are longer than the file");
    if (++this.#tensors > Math.max(TENSORS_LEAST, TENSORS_TIMES * this.#fileSize))
      throw new FileError(
        `has more than ${this.#tensors - 1} tensors, more than a file of its size can have`,
      );
    if (path.length <= NAME_LIMIT) use(name);
    else {
      const error = new FileError(`its name has more than ${NAME_LIMIT} characters`);
      this.entries.push({ kind: "failed", name, error, group: "long name" });
    }
  }

  #add(path: string, entry: () => StoredTensor | TensorEntry): void {
    this.#named(path, (name) => {
      try {
        if (this.#names.has(name)) throw new FileError("is there a second time under the same name");
        this.#names.add(name);
        this.entries.push(entry());
      } catch (error) {
        if (!(error instanceof SpectralNormError)) throw error;
        this.entries.push({
          kind: "failed",
          name,
          error,
          ...(error instanceof TooMuch && { group: "too much" }),
        });
      }
    });
  }

  #tensor(name: string, tensor: TorchTensor): StoredTensor | TensorEntry {
    const { type, shape, count } = tensor;
    const most = Math.max(NUMBERS_LEAST, NUMBERS_TIMES * this.#fileSize);
    this.#bytes += count * type.bytes;
    if (this.#bytes > most)
      throw new TooMuch(`with it, views of the file's numbers take more than ${most} bytes`);
    if (tensor.quantizer) return quantizedWeight(name, tensor, this.#locate);
    if (type.name === "complex128") return rowMajor(name, tensor, this.#locate, "complex128");
    if (type.stored !== undefined) return storedTensorOf(name, tensor, this.#locate);
    return { kind: "left out", name, shape, dtype: type.name, reason: `dtype ${type.name} is not read` };
  }
}

class TooMuch extends FileError {}

function unreadEntry(name: string, { why }: UnreadTensor): TensorEntry {
  return "error" in why
    ? { kind: "failed", name, error: why.error }
    : { kind: "left out", name, reason: why.reason };
}

function keyName(key: PickleValue): string {
  if (Array.isArray(key)) return key.map((part) => (Array.isArray(part) ? "()" : keyName(part))).join(",");
  return typeof key === "object" && key !== null ? "?" : String(key);
}

function isScripted({ maker }: PickleObject): boolean {
  return maker.startsWith("__torch__.");
}

function isModule({ state }: PickleObject): boolean {
  return state instanceof Map && (state.has("_modules") || state.has("_parameters"));
}
