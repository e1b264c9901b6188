import { FileError } from "../matrix/errors.js";
import type { NumberType } from "./complex-numbers.js";
import { Hdf5Container, type Hdf5Object } from "./hdf5.js";
import type { Hdf5Type } from "./hdf5-datatype.js";
import type { NpyDtype } from "./npy-header.js";
import { npyNumbers } from "./npz-weights.js";
import type { ByteSource } from "./source.js";
import { BYTES, type OpenTensor, type TensorEntry } from "./tensor.js";

const READ: readonly string[] = [
  "float64",
  "float32",
  "float16",
  "bfloat16",
  "complex128",
  "complex64",
] satisfies NumberType[];

/** The datasets of an HDF5 file as tensors. */
export class Hdf5Weights {
  readonly container: Hdf5Container;
  readonly #again: () => ByteSource;
  readonly #memory: number | undefined;

  /**
   * @param source  where the structure is read
   * @param again  the same file, opened for the numbers of one tensor and closed with it
   * @param memory  bytes that may come of compressed chunks; default: `inflationLimit`
   * @throws FileError if it is no HDF5 file
   */
  constructor(source: ByteSource, again: () => ByteSource, memory: number | undefined) {
    this.container = new Hdf5Container(source);
    this.#again = again;
    this.#memory = memory;
  }

  /**
   * A dataset of floating-point numbers; any other is left out.
   *
   * @throws FileError if it is damaged, or stored in a way that is not read
   */
  entry(object: Hdf5Object, name: string): TensorEntry {
    const { type, shape, locate } = object.dataset();
    const leave = (reason: string, dtype?: string): TensorEntry => ({
      ...{ kind: "left out", name, reason },
      ...(shape && { shape }),
      ...(dtype !== undefined && { dtype }),
    });
    if (shape === undefined) return leave("has no elements");
    const stored = numberType(object, type);
    if (!stored) return leave(`holds ${describe(type)}, not numbers`);
    if (!READ.includes(stored.name))
      return leave(`dtype ${stored.name} is none of ${READ.join(", ")}`, stored.name);
    const dtype = stored.name as NumberType;
    const { bytes, unpacked } = locate(this.#memory);
    return {
      ...{ kind: "tensor", name, shape, dtype, layout: "tensorflow", bytes },
      ...((unpacked || stored.bigEndian) && { unpacked: true }),
      open: () =>
        this.opened(object, (content) =>
          npyNumbers(content, { dtype: stored, shape, fortran: false, dataOffset: 0 }, dtype),
        ),
    };
  }

  /** Opens the file again for the elements of a dataset. */
  opened(object: Hdf5Object, numbers: (content: ByteSource) => Pick<OpenTensor, "numbers">): OpenTensor {
    const file = this.#again();
    try {
      if (file.size !== this.container.file.source.size)
        throw new FileError("its file has changed since the structure was read");
      const dataset = new Hdf5Container(file).object(object.address).dataset();
      const tensor = numbers(dataset.locate(this.#memory).open());
      return { numbers: tensor.numbers, close: () => file.close() };
    } catch (error) {
      file.close();
      throw error;
    }
  }
}

/** What the elements are as numbers. Keras writes bfloat16 as bytes without a meaning, and its name beside them. */
function numberType(object: Hdf5Object, type: Hdf5Type): NpyDtype | undefined {
  if (type.kind === "number") return type.dtype;
  const bfloat16 = type.kind === "opaque" && type.size === BYTES.bfloat16;
  return bfloat16 && object.texts("dtype")?.[0] === "bfloat16"
    ? { name: "bfloat16", letter: "f", size: type.size, bigEndian: false }
    : undefined;
}

/** What the elements are, for messages. */
export function describe(type: Hdf5Type): string {
  switch (type.kind) {
    case "other":
      return type.what;
    case "number":
      return type.dtype.name;
    case "opaque":
      return `${type.size} bytes without a meaning`;
    case "reference":
      return "references";
    default:
      return "text";
  }
}
