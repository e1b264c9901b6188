import { FileError } from "../matrix/errors.js";
import type { FileEntry, FilePanels } from "./entry.js";
import { Hdf5Container, type Hdf5Object, isHdf5 } from "./hdf5.js";
import { product } from "./hdf5-chunk-index.js";
import type { Hdf5Link } from "./hdf5-group.js";
import { describe } from "./hdf5-weights.js";
import { checkNesting, FOR_OBJECTS, failedArray, type MatlabKey, partName } from "./matlab-key.js";
import type { MatlabMemory } from "./matlab-matrix.js";
import {
  columnsOf,
  emptyShape,
  fullMatrix73,
  integerAt,
  matlabShape,
  NUMBERS,
  sparseMatrix73,
} from "./matlab73-numbers.js";
import type { ByteSource } from "./source.js";
import { quote } from "./text.js";

/** The group with the parts of cells and structures, which have their names from there. */
const PARTS = "#refs#";
const OBJECTS = "#subsystem#";

/** Classes that are left out. */
const OTHERS: Readonly<Record<string, string>> = { char: "text", function_handle: "a function handle" };

/** Chosen: so many parts of cells and structures in a small file; in a large one as many as it has room for. */
const PARTS_LEAST = 2 ** 20;

/**
 * The variables of a MATLAB 7.3 file (`-v7.3`), one at a time: full and sparse matrices, real or complex, of floating-point
 * numbers, integers and logicals. Matrices within structures and cells are named as in MATLAB: `s.A`, `s(2).A`, `c{3}`,
 * `c{1,2}`. Everything else is left out, and so is what several references lead to, but for the first.
 *
 * A variable that is damaged fails; the others do not.
 *
 * Format: HDF5, behind a block of 512 bytes. MathWorks has not published how arrays are laid out in it; this is what its
 * files show: axes in the opposite order, the class in the attribute `MATLAB_class`, `MATLAB_empty` where the dimensions
 * stand instead of numbers, `MATLAB_sparse` with the number of rows at a group of `data`, `ir` and `jc`, and references into
 * `#refs#` for the parts of cells and arrays of structures. A matrix is refused if its numbers are not those of its class.
 *
 * @param seen  called with the name of every variable
 * @throws FileError if it is no HDF5 file, or its list of variables is damaged
 */
export function* readMatlab73(
  source: ByteSource,
  wanted: MatlabKey,
  memory: MatlabMemory,
  seen: (name: string) => void,
): Generator<FileEntry | FilePanels> {
  if (!isHdf5(source))
    throw new FileError("is cut short: its header says MATLAB 7.3, and the HDF5 file behind it is missing");
  const container = new Hdf5Container(source);
  const reader = new ArrayReader73(container, wanted, memory);
  for (const [name, link] of container.root.links()) {
    if (name === PARTS) continue;
    if (name === OBJECTS) {
      yield wanted.leftOut(name, FOR_OBJECTS);
      continue;
    }
    seen(name);
    if (wanted.reaches(name)) yield* reader.read(() => target(container, container.root, link), name);
  }
}

/** What a link stands for. @throws FileError if it is not there */
function target(container: Hdf5Container, group: Hdf5Object, link: Hdf5Link): Hdf5Object {
  if (link.kind === "other") throw new FileError(link.why);
  if (link.kind === "hard") return container.object(link.address);
  const found = container.find(group, link.path);
  if (!found) throw new FileError(`is a link to ${quote(link.path)}, which is not there`);
  return found;
}

/** References to the parts of an array. */
interface References {
  readonly shape: readonly number[];
  readonly count: number;
  /** @throws FileError if it leads nowhere */
  part(index: number): Hdf5Object;
}

/** Reads the arrays of one file. */
class ArrayReader73 {
  readonly #container: Hdf5Container;
  readonly #wanted: MatlabKey;
  readonly #memory: MatlabMemory;
  /** names of the arrays so far, by their addresses */
  readonly #read = new Map<number, string>();
  /** addresses of the arrays that are being read */
  readonly #open = new Set<number>();
  readonly #names = new Set<string>();
  #partsLeft: number;

  constructor(container: Hdf5Container, wanted: MatlabKey, memory: MatlabMemory) {
    this.#container = container;
    this.#wanted = wanted;
    this.#memory = memory;
    const { source, addressBytes } = container.file;
    this.#partsLeft = Math.max(PARTS_LEAST, source.size / addressBytes);
  }

  /** @param find  throws FileError if there is none */
  *read(find: () => Hdf5Object, key: string, depth = 0): Generator<FileEntry | FilePanels> {
    try {
      checkNesting(key, depth);
      const object = find();
      const name = object.texts("MATLAB_class")?.[0];
      const left = leftOutByClass(object, name) ?? emptiness(object, name);
      if (name === undefined || left) {
        const { reason, group } = left ?? { reason: `an HDF5 ${object.kind} without a class of MATLAB's` };
        yield this.#wanted.leftOut(key, reason, group);
      } else yield* this.#array(object, name, key, depth);
    } catch (error) {
      yield failedArray(key, error);
    }
  }

  /** An array that is neither empty nor left out because of its class. */
  *#array(object: Hdf5Object, name: string, key: string, depth: number): Generator<FileEntry | FilePanels> {
    const { address } = object;
    if (this.#open.has(address)) throw new FileError("is damaged: it holds itself");
    const earlier = this.#read.get(address);
    if (earlier !== undefined) {
      yield this.#wanted.leftOut(key, `the same array as ${quote(earlier)}`, "an array that was read before");
      return;
    }
    this.#read.set(address, key);
    this.#open.add(address);
    try {
      if (name === "cell") yield* this.#cell(object, key, depth);
      else if (name === "struct") yield* this.#structures(object, key, depth);
      else yield this.#matrix(object, name, key);
    } finally {
      this.#open.delete(address);
    }
  }

  *#cell(object: Hdf5Object, key: string, depth: number): Generator<FileEntry | FilePanels> {
    const parts = this.#references(object);
    if (parts.count === 0) {
      yield this.#wanted.leftOut(key, "an empty cell array");
      return;
    }
    this.#wanted.checkParts(key, "a cell array");
    for (let index = 0; index < parts.count; index++)
      yield* this.#part(parts, index, partName(key, parts.shape, index, undefined), depth);
  }

  *#part(parts: References, index: number, name: string, depth: number): Generator<FileEntry | FilePanels> {
    if (this.#wanted.reaches(name)) yield* this.read(() => parts.part(index), name, depth + 1);
  }

  /** One structure, whose fields are members of the group, or an array of them, whose fields are references there. */
  *#structures(group: Hdf5Object, key: string, depth: number): Generator<FileEntry | FilePanels> {
    if (group.kind !== "group") throw new FileError("is a dataset, and no group, of class struct");
    const links = group.links();
    if (links.size === 0) {
      yield this.#wanted.leftOut(key, "an empty structure");
      return;
    }
    this.#wanted.checkParts(key, "a structure");
    const arrays: { readonly field: string; readonly parts: References }[] = [];
    for (const [field, link] of links) {
      const name = `${key}.${field}`;
      try {
        const object = target(this.#container, group, link);
        if (isReferences(object)) arrays.push({ field, parts: this.#field(object, arrays[0]?.parts) });
        else if (this.#wanted.reaches(name)) yield* this.read(() => object, name, depth + 1);
      } catch (error) {
        yield failedArray(name, error);
      }
    }
    const count = arrays[0]?.parts.count;
    if (count === 0) yield this.#wanted.leftOut(key, "an empty structure");
    for (let index = 0; index < (count ?? 0); index++)
      for (const { field, parts } of arrays)
        yield* this.#part(parts, index, partName(key, parts.shape, index, field), depth);
  }

  /** A field of several structures. @throws FileError unless there are as many as of another field */
  #field(object: Hdf5Object, other: References | undefined): References {
    const parts = this.#references(object);
    if (other && parts.shape.join() !== other.shape.join())
      throw new FileError(
        `has ${parts.shape.join("×")} parts, and another field has ${other.shape.join("×")}`,
      );
    return parts;
  }

  /** @throws FileError if it is no dataset of references, or has more of them than a file of this size may have */
  #references(object: Hdf5Object): References {
    const dataset = object.dataset();
    const { addressBytes } = this.#container.file;
    if (dataset.type.kind !== "reference" || dataset.type.size !== addressBytes)
      throw new FileError(`holds ${describe(dataset.type)} where references belong`);
    const shape = matlabShape(dataset);
    const count = product(shape);
    if (count > this.#partsLeft)
      throw new FileError(
        `has ${count} parts, more than cells and structures of a file of its size may have`,
      );
    this.#partsLeft -= count;
    const source = count === 0 ? undefined : dataset.locate().open();
    return {
      ...{ shape, count },
      part: (index) => {
        const bytes = source?.read(index * addressBytes, addressBytes) ?? new Uint8Array(0);
        const address = this.#container.file.cursor(bytes, "a reference").address();
        if (!address) throw new FileError("is a reference that leads nowhere");
        return this.#container.object(address);
      },
    };
  }

  #matrix(object: Hdf5Object, name: string, key: string): FileEntry | FilePanels {
    if (this.#names.has(key)) throw new FileError("is there a second time under the same name");
    this.#names.add(key);
    const dtype = NUMBERS[name];
    const rows = integerAt(object, "MATLAB_sparse");
    if (rows !== undefined) return this.#sparse(object, rows, dtype, key);
    const dataset = object.dataset();
    const shape = matlabShape(dataset);
    const left = this.#wanted.shapeLeftOut(key, shape);
    return left ?? { ...fullMatrix73(dataset, [shape[0], shape[1]], dtype, this.#memory), key };
  }

  #sparse(group: Hdf5Object, rows: number, dtype: string, key: string): FileEntry {
    if (!(Number.isSafeInteger(rows) && rows >= 0))
      throw new FileError(`is damaged: its MATLAB_sparse says ${rows} rows`);
    if (group.kind !== "group")
      throw new FileError("is a dataset, and no group, with the attribute MATLAB_sparse");
    const [jc, ir, data] = ["jc", "ir", "data"].map((name) => {
      const link = group.links().get(name);
      return link && target(this.#container, group, link).dataset();
    });
    if (!jc) throw new FileError("is damaged: its `jc` is missing");
    const parts = { jc, ir, data };
    const columns = columnsOf(parts, this.#memory);
    const left = this.#wanted.shapeLeftOut(key, [rows, columns.length - 1]);
    return left ?? { ...sparseMatrix73(parts, columns, rows, dtype, this.#memory), key };
  }
}

interface LeftOut {
  readonly reason: string;
  readonly group?: string;
}

/** @param name  its class, if it has one */
function leftOutByClass(object: Hdf5Object, name: string | undefined): LeftOut | undefined {
  if (name === undefined) return undefined;
  if (Object.hasOwn(OTHERS, name)) return { reason: OTHERS[name] };
  const known = Object.hasOwn(NUMBERS, name) || name === "cell" || name === "struct";
  if (known && !object.attribute("MATLAB_object_decode")) return undefined;
  return { reason: `an object of class ${quote(name)}`, group: "an object" };
}

/** Why an array of a class that is read is left out if it is empty; undefined if it is not. */
function emptiness(object: Hdf5Object, name: string | undefined): LeftOut | undefined {
  if (name === undefined || !integerAt(object, "MATLAB_empty")) return undefined;
  // Of sparse matrices, the group says the dimensions.
  if (name !== "struct" && object.kind === "group") return undefined;
  if (name === "cell") return { reason: "an empty cell array" };
  if (name === "struct") return { reason: "an empty structure" };
  return { reason: `an empty matrix, ${emptyShape(object.dataset()).join("×")}`, group: "an empty matrix" };
}

/** Whether an object, a member of a structure, has that field of several structures. */
function isReferences(object: Hdf5Object): boolean {
  if (object.kind !== "dataset" || object.attribute("MATLAB_class")) return false;
  return object.dataset().type.kind === "reference";
}
