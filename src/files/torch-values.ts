import { FileError, SpectralNormError } from "../matrix/errors.js";
import { PickleGlobal, PicklePart, type PickleReader, type PickleValue } from "./pickle-values.js";
import { checkedShape } from "./tensor.js";
import { quote } from "./text.js";

/** A type of numbers. */
export interface TorchType {
  /** as PyTorch calls it: "float32" */
  readonly name: string;
  /** as safetensors calls it, where it has the type: "F32" */
  readonly stored?: string;
  readonly bytes: number;
}

const TYPES: readonly TorchType[] = [
  { name: "float64", stored: "F64", bytes: 8 },
  { name: "float32", stored: "F32", bytes: 4 },
  { name: "float16", stored: "F16", bytes: 2 },
  { name: "bfloat16", stored: "BF16", bytes: 2 },
  { name: "complex128", bytes: 16 },
  { name: "complex64", stored: "C64", bytes: 8 },
  { name: "complex32", bytes: 4 },
  { name: "float8_e4m3fn", stored: "F8_E4M3", bytes: 1 },
  { name: "float8_e5m2", stored: "F8_E5M2", bytes: 1 },
  { name: "float8_e4m3fnuz", stored: "F8_E4M3FNUZ", bytes: 1 },
  { name: "float8_e5m2fnuz", stored: "F8_E5M2FNUZ", bytes: 1 },
  { name: "float8_e8m0fnu", stored: "F8_E8M0", bytes: 1 },
  { name: "int64", stored: "I64", bytes: 8 },
  { name: "int32", stored: "I32", bytes: 4 },
  { name: "int16", stored: "I16", bytes: 2 },
  { name: "int8", stored: "I8", bytes: 1 },
  { name: "uint64", stored: "U64", bytes: 8 },
  { name: "uint32", stored: "U32", bytes: 4 },
  { name: "uint16", stored: "U16", bytes: 2 },
  { name: "uint8", stored: "U8", bytes: 1 },
  { name: "bool", stored: "BOOL", bytes: 1 },
  { name: "qint8", bytes: 1 },
  { name: "quint8", bytes: 1 },
  { name: "qint32", bytes: 4 },
];

/** The types that classes of storages have. */
const STORAGES: Readonly<Record<string, string>> = {
  Double: "float64",
  Float: "float32",
  Half: "float16",
  BFloat16: "bfloat16",
  ComplexDouble: "complex128",
  ComplexFloat: "complex64",
  Long: "int64",
  Int: "int32",
  Short: "int16",
  Char: "int8",
  Byte: "uint8",
  Bool: "bool",
  QInt8: "qint8",
  QUInt8: "quint8",
  QInt32: "qint32",
};

function typeNamed(name: string | undefined): TorchType | undefined {
  return TYPES.find((type) => type.name === name);
}

/** Numbers, or bytes, that tensors are views of. */
export class TorchStorage extends PicklePart {
  constructor(
    /** where its bytes are */
    readonly key: string,
    /** absent if it is of bytes whose type the tensor says */
    readonly type: TorchType | undefined,
    /** of its numbers, or else bytes */
    readonly count: number,
  ) {
    super();
  }

  get bytes(): number {
    return this.count * (this.type?.bytes ?? 1);
  }
}

/** How integers stand for numbers: (q − zero)·scale, for the whole tensor or for each index of an axis. */
export type TorchQuantizer =
  | { readonly scale: number; readonly zero: number }
  | { readonly scales: TorchTensor; readonly zeros: TorchTensor; readonly axis: number };

/** A view of a storage. */
export class TorchTensor extends PicklePart {
  constructor(
    readonly storage: TorchStorage,
    readonly type: TorchType,
    /** of its first number in the storage */
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    readonly count: number,
    readonly quantizer?: TorchQuantizer,
  ) {
    super();
  }
}

/** A tensor that is whole and not read, or one that is damaged. */
export class UnreadTensor extends PicklePart {
  constructor(readonly why: { readonly reason: string } | { readonly error: SpectralNormError }) {
    super();
  }
}

/** A storage that is no use to any tensor. */
class UnreadStorage extends PicklePart {
  constructor(readonly reason: string) {
    super();
  }
}

/**
 * What PyTorch's pickles have of its own: storages, tensors, parameters. Functions of `torch._utils` and of TorchScript
 * that make tensors are known by their names, and nothing else is.
 *
 * Source: torch/_utils.py, torch/_tensor.py and torch/serialization.py of PyTorch, which say what these functions take.
 */
export const TORCH_VALUES: PickleReader = {
  call(name, parameters) {
    if (!Object.hasOwn(MAKERS, name)) return undefined;
    try {
      return MAKERS[name](parameters);
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      return new UnreadTensor({ error });
    }
  },
  persistent(id) {
    if (!Array.isArray(id)) throw new FileError("its pickle refers to something that is no storage");
    // Before PyTorch 1.6 a whole module came with its source text.
    if (id[0] === "module" && id[1] instanceof PickleGlobal) return id[1];
    if (id[0] !== "storage") throw new FileError("its pickle refers to something that is no storage");
    return storageOf(id);
  },
};

type Parameters = readonly PickleValue[];

const MAKERS: Readonly<Record<string, (parameters: Parameters) => PickleValue | undefined>> = {
  "torch._utils._rebuild_tensor": ([storage, offset, size, stride]) =>
    tensorOf(storage, offset, size, stride),
  "torch._utils._rebuild_tensor_v2": ([storage, offset, size, stride, , , metadata]) =>
    plainView(metadata) ?? tensorOf(storage, offset, size, stride),
  "torch._utils._rebuild_tensor_v3": ([storage, offset, size, stride, , , dtype, metadata]) =>
    plainView(metadata) ?? tensorOf(storage, offset, size, stride, dtype),
  "torch._utils._rebuild_qtensor": ([storage, offset, size, stride, quantizer]) =>
    quantizedOf(tensorOf(storage, offset, size, stride), quantizer),
  "torch._utils._rebuild_parameter": ([data]) => data,
  "torch._utils._rebuild_parameter_with_state": ([data]) => data,
  "torch._tensor._rebuild_from_type_v2": ([maker, type, parameters]) => typed(maker, type, parameters),
  "torch._utils._rebuild_meta_tensor_no_storage": () => unread("is on the meta device, without numbers"),
  "torch._utils._rebuild_sparse_tensor": () => unread("is a sparse tensor"),
  "torch._utils._rebuild_sparse_csr_tensor": () => unread("is a sparse tensor"),
  "torch.Size": ([size]) => size,
  "torch.device": ([kind]) => kind,
  // What TorchScript notes of the types of its lists.
  "torch.jit._pickle.restore_type_tag": ([value]) => value,
  "torch.jit._pickle.build_intlist": ([value]) => value,
  "torch.jit._pickle.build_doublelist": ([value]) => value,
  "torch.jit._pickle.build_boollist": ([value]) => value,
  "torch.jit._pickle.build_tensorlist": ([value]) => value,
};

function unread(reason: string): UnreadTensor {
  return new UnreadTensor({ reason });
}

/** What stands for a tensor that is to be conjugated or negated when it is read. */
function plainView(metadata: PickleValue | undefined): UnreadTensor | undefined {
  if (!(metadata instanceof Map)) return undefined;
  const marked = ["conj", "neg"].some((mark) => metadata.get(mark) === true);
  return marked
    ? unread("is a conjugated or negated view; save its .resolve_conj().resolve_neg()")
    : undefined;
}

/** A tensor with attributes of its own, or of a class that only adds a meaning. */
function typed(maker: PickleValue, type: PickleValue, parameters: PickleValue): PickleValue | undefined {
  if (!(maker instanceof PickleGlobal) || !(type instanceof PickleGlobal) || !Array.isArray(parameters))
    throw new FileError("is not described as PyTorch describes tensors");
  const plain = /^torch\.(Tensor|_tensor\.Tensor|nn\.parameter\.(Parameter|Buffer))$/.test(type.name);
  if (!plain) return unread(`is of class ${quote(type.name)}, which is not read`);
  return maker.name === "torch._tensor._rebuild_from_type_v2"
    ? undefined
    : TORCH_VALUES.call(maker.name, parameters);
}

function storageOf([, type, key, , count, view]: Parameters): PicklePart {
  if (!(type instanceof PickleGlobal) || !isCount(count))
    return new UnreadStorage("has a storage without a type or length");
  const name = typeof key === "string" || typeof key === "number" ? String(key) : undefined;
  if (name === undefined) return new UnreadStorage("has a storage without a key");
  if (view !== undefined && view !== null)
    return new UnreadStorage("lies in a part of a storage, as before PyTorch 0.4");
  const kind = /^torch\.(?:cuda\.|storage\.)?(\w+)Storage$/.exec(type.name)?.[1] ?? "";
  if (kind === "Untyped") return new TorchStorage(name, undefined, count);
  const known = Object.hasOwn(STORAGES, kind) ? typeNamed(STORAGES[kind]) : undefined;
  return known
    ? new TorchStorage(name, known, count)
    : new UnreadStorage(`its storage ${quote(type.name)} is of an unknown type`);
}

function isCount(value: PickleValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function tensorOf(
  storage: PickleValue,
  offset: PickleValue,
  size: PickleValue,
  stride: PickleValue,
  dtype?: PickleValue,
): TorchTensor {
  if (storage instanceof UnreadStorage) throw new FileError(storage.reason);
  if (!(storage instanceof TorchStorage)) throw new FileError("has no storage");
  if (!Array.isArray(size) || !size.every(isCount))
    throw new FileError("its shape is not a list of nonnegative integers");
  const { shape, count } = checkedShape(size);
  if (!Array.isArray(stride) || stride.length !== shape.length || !stride.every(isCount))
    throw new FileError("its strides are not nonnegative integers, one for each axis");
  if (!isCount(offset)) throw new FileError("its offset in the storage is not a nonnegative integer");
  const type = dtype === undefined ? storage.type : typeOf(dtype);
  if (!type) throw new FileError("has no type");
  const strides = stride as readonly number[];
  const last = shape.reduce((sum, length, axis) => sum + (length - 1) * strides[axis], offset);
  if (count > 0 && !((last + 1) * type.bytes <= storage.bytes))
    throw new FileError(
      `its last number is number ${last} of its storage (counted from 0), which has ${storage.bytes / type.bytes}`,
    );
  return new TorchTensor(storage, type, offset, shape, strides, count);
}

function typeOf(dtype: PickleValue): TorchType {
  const name = dtype instanceof PickleGlobal ? dtype.name : "";
  const type = typeNamed(/^torch\.(\w+)$/.exec(name)?.[1]);
  if (!type) throw new FileError(`its dtype ${quote(name)} is not known`);
  return type;
}

function quantizedOf(tensor: TorchTensor, quantizer: PickleValue): PicklePart {
  const [scheme, ...rest] = Array.isArray(quantizer) ? quantizer : [];
  const name = scheme instanceof PickleGlobal ? scheme.name : "";
  return (
    withQuantizer(tensor, quantizerOf(name, rest)) ??
    unread(`is quantized as ${quote(name)}, which is not read`)
  );
}

function quantizerOf(scheme: string, [first, second, third]: Parameters): TorchQuantizer | undefined {
  if (scheme === "torch.per_tensor_affine" && typeof first === "number" && typeof second === "number")
    return { scale: first, zero: second };
  const channels = first instanceof TorchTensor && second instanceof TorchTensor && isCount(third);
  if (scheme === "torch.per_channel_affine" && channels) return { scales: first, zeros: second, axis: third };
  return undefined;
}

function withQuantizer(tensor: TorchTensor, quantizer: TorchQuantizer | undefined): TorchTensor | undefined {
  const { storage, type, offset, shape, strides, count } = tensor;
  return quantizer && new TorchTensor(storage, type, offset, shape, strides, count, quantizer);
}
