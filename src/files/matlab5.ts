import { FileError } from "../matrix/errors.js";
import type { FileEntry, FilePanels } from "./entry.js";
import { ELEMENT, type MatlabElement, MatlabElements } from "./matlab-elements.js";
import {
  checkNesting,
  FOR_OBJECTS,
  failedArray,
  type MatlabKey,
  NAME_LIMIT,
  partName,
} from "./matlab-key.js";
import { type MatlabMemory, type MatlabNumbers, matlabMatrix, matlabSparse } from "./matlab-matrix.js";
import { countNpyElements } from "./npy-header.js";
import { type ByteSource, memorySource, windowOf } from "./source.js";
import { checkInflated } from "./zip.js";
import { unpackZlib } from "./zlib.js";

const HEADER_BYTES = 128;
const TAG_BYTES = 8;

/** Chosen: compressed variables show their name within so many bytes. */
const HEAD_BYTES = 4096;

/** Chosen: more axes than anybody needs. */
const AXES_LIMIT = 64;

const CLASS = { cell: 1, struct: 2, object: 3, char: 4, sparse: 5, handle: 16, opaque: 17 } as const;

/** Classes of full matrices. */
const NUMBERS: Readonly<Record<number, string>> = {
  6: "float64",
  7: "float32",
  8: "int8",
  9: "uint8",
  10: "int16",
  11: "uint16",
  12: "int32",
  13: "uint32",
  14: "int64",
  15: "uint64",
};

/** What is left out because of its class. */
const OTHERS: Readonly<Record<number, string>> = {
  [CLASS.object]: "an object",
  [CLASS.char]: "text",
  [CLASS.handle]: "a function handle",
  [CLASS.opaque]: "an object",
};

const LOGICAL = 2;
const COMPLEX = 8;

/** What an array says of itself before its content. */
interface ArrayHead {
  readonly type: number;
  readonly logical: boolean;
  readonly complex: boolean;
  readonly shape: readonly number[];
  readonly name: string;
}

/** 1: level 5, 2: MATLAB 7.3, which is HDF5; undefined: neither. Of the first bytes of a file, at least 128. */
export function matlabVersion(head: Uint8Array): 1 | 2 | undefined {
  if (head.length < HEADER_BYTES) return undefined;
  const order = String.fromCharCode(head[126], head[127]);
  if (order !== "IM" && order !== "MI") return undefined;
  const [high, low] = order === "IM" ? [head[125], head[124]] : [head[124], head[125]];
  return low === 0 && (high === 1 || high === 2) ? high : undefined;
}

/**
 * The variables of a MATLAB file of level 5 (MATLAB 5 to 7.2, later ones with `-v6` and `-v7`), one at a time: full and
 * sparse matrices, real or complex, of floating-point numbers, integers and logicals; in either byte order, compressed
 * or not. Matrices within structures and cells are named as in MATLAB: `s.A`, `s(2).A`, `c{3}`, `c{1,2}`. Everything
 * else is left out.
 *
 * A variable that is damaged fails, and so does one with the name of an earlier one; the others do not.
 *
 * Format: MathWorks, "MAT-File Format", chapter 1.
 *
 * @param seen  called with the name of every variable
 */
export function* readMatlab5(
  source: ByteSource,
  wanted: MatlabKey,
  memory: MatlabMemory,
  seen: (name: string) => void,
): Generator<FileEntry | FilePanels> {
  const big = source.read(126, 1)[0] === 0x4d;
  const elements = new MatlabElements(source, HEADER_BYTES, source.size, big);
  const names = new Set<string>();
  for (let number = 1; !elements.done; number++) {
    let key = `(variable ${number})`;
    let element: MatlabElement;
    try {
      element = elements.next();
    } catch (error) {
      // Where the next variable begins is not known.
      yield failedArray(key, error);
      return;
    }
    try {
      const array = openVariable(elements, element, wanted, memory, (name) => {
        seen(name);
        if (name !== "") key = name;
      });
      if (array)
        yield* new ArrayReader(array.packed, wanted, memory, names).read(array.elements, undefined, key);
    } catch (error) {
      yield failedArray(key, error);
    }
  }
}

/** The elements of a variable's array, in memory if it is compressed; undefined if it is not wanted. */
function openVariable(
  elements: MatlabElements,
  element: MatlabElement,
  wanted: MatlabKey,
  { inflated }: MatlabMemory,
  seen: (name: string) => void,
): { elements: MatlabElements; packed: boolean } | undefined {
  const { source, big } = elements;
  if (element.type === ELEMENT.array) {
    const { name } = readHead(elements.within(element));
    seen(name);
    return wanted.reaches(name) ? { elements: elements.within(element), packed: false } : undefined;
  }
  if (element.type !== ELEMENT.compressed)
    throw new FileError(`is an element of type ${element.type}, which is no variable`);
  const packed = windowOf(source, element.offset, element.bytes);
  const tag = unpackZlib(packed, TAG_BYTES, false);
  const view = new DataView(tag.buffer, tag.byteOffset, TAG_BYTES);
  if (view.getUint32(0, !big) !== ELEMENT.array)
    throw new FileError(`is damaged: what is compressed is no array`);
  const size = TAG_BYTES + view.getUint32(4, !big);
  const open = (bytes: Uint8Array) => new MatlabElements(memorySource(bytes), TAG_BYTES, bytes.length, big);
  const { name } = readHead(open(unpackZlib(packed, Math.min(size, HEAD_BYTES), false)));
  seen(name);
  if (!wanted.reaches(name)) return undefined;
  checkInflated(size, inflated);
  return { elements: open(unpackZlib(packed, size, true)), packed: true };
}

function readHead(elements: MatlabElements): ArrayHead {
  const flags = elements.integers(2);
  if (flags.length !== 2) throw new FileError("is damaged: its flags have not 8 bytes");
  const type = flags[0] & 255;
  const bits = flags[0] >>> 8;
  const head = { type, logical: (bits & LOGICAL) !== 0, complex: (bits & COMPLEX) !== 0 };
  // Objects of later versions have no dimensions.
  if (type === CLASS.opaque) return { ...head, shape: [], name: nameOf(elements) };
  const shape = Array.from(elements.integers(AXES_LIMIT));
  if (shape.length < 2 || shape.some((length) => length < 0))
    throw new FileError(`is damaged: its dimensions are said to be [${shape.join(", ")}]`);
  return { ...head, shape, name: nameOf(elements) };
}

function nameOf(elements: MatlabElements): string {
  const name = elements.text();
  if (name.length > NAME_LIMIT) throw new FileError(`is damaged: its name has ${name.length} letters`);
  return name;
}

/** Reads the arrays of one variable. */
class ArrayReader {
  constructor(
    /** whether the variable was compressed */
    private readonly packed: boolean,
    private readonly wanted: MatlabKey,
    private readonly memory: MatlabMemory,
    /** of all arrays so far */
    private readonly names: Set<string>,
  ) {}

  /**
   * @param path  its name, if it is within another array
   * @param fallback  its name if it has none
   */
  *read(
    elements: MatlabElements,
    path: string | undefined,
    fallback: string,
    depth = 0,
  ): Generator<FileEntry | FilePanels> {
    let key = path ?? fallback;
    try {
      checkNesting(key, depth);
      if (elements.done && path !== undefined) {
        yield this.wanted.leftOut(key, "an empty matrix");
        return;
      }
      const head = readHead(elements);
      if (path === undefined && head.name !== "") key = head.name;
      if (path === undefined && head.name === "") yield this.wanted.leftOut(key, FOR_OBJECTS);
      else if (head.type === CLASS.cell || head.type === CLASS.struct)
        yield* this.parts(elements, head, key, depth);
      else yield this.matrix(elements, head, key);
    } catch (error) {
      yield failedArray(key, error);
    }
  }

  /** The arrays of a cell array or of structures. */
  private *parts(
    elements: MatlabElements,
    head: ArrayHead,
    key: string,
    depth: number,
  ): Generator<FileEntry | FilePanels> {
    const what = head.type === CLASS.cell ? "a cell array" : "a structure";
    const count = head.shape.reduce((product, length) => product * length, 1);
    const fields = head.type === CLASS.cell ? [undefined] : fieldNames(elements);
    if (count === 0 || fields.length === 0) {
      yield this.wanted.leftOut(key, what.replace("a ", "an empty "));
      return;
    }
    this.wanted.checkParts(key, what);
    for (let index = 0; index < count; index++)
      for (const field of fields) {
        const part = elements.next();
        const name = partName(key, head.shape, index, field);
        if (!this.wanted.reaches(name)) continue;
        if (part.type !== ELEMENT.array)
          yield failedArray(name, new FileError(`is an element of type ${part.type}, which is no array`));
        else yield* this.read(elements.within(part), name, name, depth + 1);
      }
  }

  private matrix(elements: MatlabElements, head: ArrayHead, key: string): FileEntry | FilePanels {
    const { type, shape, logical, complex } = head;
    const left = Object.hasOwn(OTHERS, type) ? OTHERS[type] : undefined;
    if (left !== undefined) return this.wanted.leftOut(key, left);
    const sparse = type === CLASS.sparse;
    const dtype = logical ? "bool" : sparse ? "float64" : NUMBERS[type];
    if (dtype === undefined) throw new FileError(`has the class ${type}, which is not known`);
    const shapeless = this.wanted.shapeLeftOut(key, shape);
    if (shapeless) return shapeless;
    if (this.names.has(key)) throw new FileError("is there a second time under the same name");
    this.names.add(key);
    const places = sparse ? [elements.integers(), elements.integers()] : undefined;
    const real = elements.numbers(logical ? places?.[1].at(-1) : undefined);
    const imaginary = complex ? elements.numbers() : undefined;
    const numbers: MatlabNumbers = { shape: [shape[0], shape[1]], dtype, real, imaginary };
    if (places) return { ...matlabSparse(numbers, places[0], places[1], this.memory), key };
    for (const part of imaginary ? [real, imaginary] : [real])
      countNpyElements(
        { dtype: part.dtype, shape, fortran: true, dataOffset: 0 },
        part.count * part.dtype.size,
      );
    return { ...matlabMatrix(numbers, this.memory, this.packed), key };
  }
}

/** The names of a structure's fields, which have the same room each. */
function fieldNames(elements: MatlabElements): string[] {
  const [room] = elements.integers(1);
  const text = elements.text();
  if (!(room >= 1 && room <= NAME_LIMIT && text.length % room === 0))
    throw new FileError(`is damaged: names of ${room} letters cannot be ${text.length} letters in all`);
  return Array.from({ length: text.length / room }, (_, k) =>
    text.slice(k * room, (k + 1) * room).replace(/\0.*$/s, ""),
  );
}
