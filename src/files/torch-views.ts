import { FileError } from "../matrix/errors.js";
import type { NumberType } from "./complex-numbers.js";
import { gatheredSource, hasSeparateSlices, isContiguous, type Strided } from "./gathered-source.js";
import type { ByteSource } from "./source.js";
import type { StoredTensor } from "./stored-tensor.js";
import { storedNumbers, type WeightTensor } from "./tensor.js";
import type { TorchStorage, TorchTensor } from "./torch-values.js";

/** Where the bytes of a storage are. */
export interface StorageBytes {
  readonly size: number;
  /** of the first one in what is opened */
  readonly begin: number;
  readonly bigEndian: boolean;
  /** whether opening it takes memory for all of it */
  readonly unpacked: boolean;
  /** @throws FileError if they are damaged, or the file is not what it was */
  open(): ByteSource;
}

/** @throws FileError if the file does not have that storage */
export type LocateStorage = (storage: TorchStorage) => StorageBytes;

/** A tensor's numbers, the last axis fastest, and perhaps also as they lie. */
type View = Pick<StoredTensor, "begin" | "open" | "columns"> & { readonly unpacked: boolean };

/** A tensor of a type that safetensors has, too. @throws FileError if its storage is not there, or too short */
export function storedTensorOf(name: string, tensor: TorchTensor, locate: LocateStorage): StoredTensor {
  const { type, shape, count } = tensor;
  const { unpacked, ...view } = viewOf(tensor, locate(tensor.storage));
  return {
    ...{ kind: "stored", name, dtype: type.stored ?? type.name, shape, count, bytes: count * type.bytes },
    ...view,
    ...(unpacked && { unpacked }),
  };
}

/** A tensor whose numbers are read as they are. @throws FileError as `storedTensorOf` */
export function rowMajor(
  name: string,
  tensor: TorchTensor,
  locate: LocateStorage,
  dtype: NumberType,
): WeightTensor {
  const { type, shape, count } = tensor;
  const { begin, unpacked, open } = viewOf(tensor, locate(tensor.storage));
  return {
    ...{ kind: "tensor", name, shape, dtype, layout: "pytorch", bytes: count * type.bytes, unpacked },
    open: () => storedNumbers(open(), begin, dtype),
  };
}

function viewOf({ storage, type, offset, shape, strides, count }: TorchTensor, place: StorageBytes): View {
  if (place.size < storage.bytes)
    throw new FileError(
      `its storage ${storage.key} should have ${storage.bytes} bytes, and has ${place.size}`,
    );
  const begin = place.begin + offset * type.bytes;
  const { unpacked, bigEndian } = place;
  const open = () => place.open();
  if (count === 0 || (isContiguous(shape, strides) && (!bigEndian || type.bytes === 1)))
    return { begin, open, unpacked };
  const units: Strided = type.name.startsWith("complex")
    ? {
        ...{ begin, shape: [...shape, 2], strides: [...strides.map((stride) => 2 * stride), 1] },
        ...{ unit: (type.bytes / 2) as Strided["unit"], swapped: bigEndian },
      }
    : { begin, shape, strides, unit: type.bytes as Strided["unit"], swapped: bigEndian };
  return {
    begin: 0,
    unpacked: unpacked || !hasSeparateSlices(shape, strides),
    open: () => gatheredSource(place.open(), units),
    ...(!bigEndian && isTransposed(shape, strides) && { columns: { begin, open } }),
  };
}

/** Whether a matrix lies column by column. */
function isTransposed(shape: readonly number[], strides: readonly number[]): boolean {
  return shape.length === 2 && isContiguous([shape[1], shape[0]], [strides[1], strides[0]]);
}
