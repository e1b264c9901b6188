import { floats, text } from "./models.js";
import { encode, join, latin1, type ZipPart, zip } from "./writers.js";

/** A piece of a pickle that leaves one value on its stack. */
export type Opcodes = Uint8Array;

const code = (byte: number | string) => Uint8Array.of(typeof byte === "number" ? byte : byte.charCodeAt(0));
const u32 = (value: number) => encode("<u4", [value]);

/** Opcodes of protocol 2, each as Python's `pickletools` describes it. */
export const pickled = {
  none: code("N"),
  true: code(0x88),
  false: code(0x89),
  small: (value: number): Opcodes => join(code("K"), Uint8Array.of(value)),
  integer: (value: number): Opcodes => join(code("J"), encode("<i4", [value])),
  /** of eight bytes */
  long: (value: bigint): Opcodes => join(code(0x8a), Uint8Array.of(8), encode("<i8", [value])),
  real: (value: number): Opcodes => join(code("G"), encode(">f8", [value])),
  string: (value: string): Opcodes => join(code("X"), u32(text(value).length), text(value)),
  tuple: (...items: readonly Opcodes[]): Opcodes => join(code("("), ...items, code("t")),
  list: (...items: readonly Opcodes[]): Opcodes => join(code("]"), code("("), ...items, code("e")),
  dict: (items: Readonly<Record<string, Opcodes>>): Opcodes =>
    join(
      code("}"),
      code("("),
      ...Object.entries(items).flatMap(([key, value]) => [pickled.string(key), value]),
      code("u"),
    ),
  ordered: (items: Readonly<Record<string, Opcodes>>): Opcodes =>
    join(
      pickled.reduce(pickled.global("collections", "OrderedDict"), code(")")),
      code("("),
      ...Object.entries(items).flatMap(([key, value]) => [pickled.string(key), value]),
      code("u"),
    ),
  global: (module: string, name: string): Opcodes => join(code("c"), latin1(`${module}\n${name}\n`)),
  reduce: (callable: Opcodes, parameters: Opcodes): Opcodes => join(callable, parameters, code("R")),
  object: (module: string, name: string, state: Opcodes = code("}")): Opcodes =>
    join(pickled.global(module, name), code(")"), code(0x81), state, code("b")),
  memorize: (value: Opcodes, index: number): Opcodes => join(value, code("q"), Uint8Array.of(index)),
  recall: (index: number): Opcodes => join(code("h"), Uint8Array.of(index)),
  persistent: (id: Opcodes): Opcodes => join(id, code("Q")),
  whole: (value: Opcodes, protocol = 2): Uint8Array => join(Uint8Array.of(0x80, protocol), value, code(".")),
};

const { small, integer, string, tuple, global, reduce, persistent, whole } = pickled;

export interface TensorParts {
  readonly storage: string;
  /** of the storage: "Float" */
  readonly type: string;
  /** of the storage's numbers */
  readonly count: number;
  readonly shape: readonly number[];
  /** default: the last axis fastest */
  readonly strides?: readonly number[];
  readonly offset?: number;
}

const shapeOf = (lengths: readonly number[]) => tuple(...lengths.map(integer));

export function stridesOf(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, length) => product * length, 1));
}

function viewOf({
  storage,
  type,
  count,
  shape,
  strides = stridesOf(shape),
  offset = 0,
}: TensorParts): Opcodes[] {
  const id = tuple(
    string("storage"),
    global(type === "Untyped" ? "torch.storage" : "torch", `${type}Storage`),
    string(storage),
    string("cpu"),
    integer(count),
  );
  return [persistent(id), integer(offset), shapeOf(shape), shapeOf(strides)];
}

const hooks = pickled.ordered({});

/** A tensor as PyTorch pickles it. */
export function torchTensor(parts: TensorParts, ...more: readonly Opcodes[]): Opcodes {
  return reduce(
    global("torch._utils", "_rebuild_tensor_v2"),
    tuple(...viewOf(parts), pickled.false, hooks, ...more),
  );
}

/** A tensor of a type that no class of storages has, such as "float8_e4m3fn". */
export function typedTensor(parts: Omit<TensorParts, "type">, dtype: string): Opcodes {
  return reduce(
    global("torch._utils", "_rebuild_tensor_v3"),
    tuple(...viewOf({ ...parts, type: "Untyped" }), pickled.false, hooks, global("torch", dtype)),
  );
}

/** @param quantizer  the items of its tuple */
export function quantizedTensor(parts: TensorParts, ...quantizer: readonly Opcodes[]): Opcodes {
  return reduce(
    global("torch._utils", "_rebuild_qtensor"),
    tuple(...viewOf(parts), tuple(...quantizer), pickled.false, hooks),
  );
}

export type Storages = Readonly<Record<string, Uint8Array>>;

export interface TorchParts {
  readonly root: Opcodes;
  readonly storages?: Storages;
  readonly folder?: string;
  /** other members, or the same with something else in them */
  readonly more?: readonly ZipPart[];
  readonly deflate?: boolean;
}

/** A file of `torch.save`. */
export function torchFile({
  root,
  storages = {},
  folder = "archive/",
  more = [],
  deflate,
}: TorchParts): Uint8Array {
  const packed = deflate === undefined ? {} : { deflate };
  return zip([
    { name: `${folder}data.pkl`, content: whole(root), ...packed },
    ...Object.entries(storages).map(([key, content]) => ({
      name: `${folder}data/${key}`,
      content,
      ...packed,
    })),
    { name: `${folder}version`, content: latin1("3\n") },
    ...more,
  ]);
}

/** A file of `torch.save` before PyTorch 1.6; of each storage the number of its numbers and these. */
export function torchStream(
  root: Opcodes,
  storages: Readonly<Record<string, readonly [count: number, bytes: Uint8Array]>>,
  protocol = 1001,
): Uint8Array {
  const magic = Uint8Array.of(0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19);
  const machine = pickled.dict({ protocol_version: integer(protocol), little_endian: pickled.true });
  return join(
    whole(magic),
    whole(integer(protocol)),
    whole(machine),
    whole(root),
    whole(pickled.list(...Object.keys(storages).map(string))),
    ...Object.values(storages).flatMap(([count, bytes]) => [encode("<i8", [BigInt(count)]), bytes]),
  );
}

/** A state dict of two layers that share a weight, and what belongs to none. */
export function smallTorchFile(numbers: readonly number[], deflate = false): Uint8Array {
  const weight = { storage: "0", type: "Float", count: numbers.length, shape: [2, numbers.length / 2] };
  return torchFile({
    root: pickled.ordered({
      "a.weight": torchTensor(weight),
      "b.weight": torchTensor({
        ...weight,
        shape: [numbers.length / 2, 2],
        strides: [1, numbers.length / 2],
      }),
      "a.count": torchTensor({ storage: "1", type: "Long", count: 1, shape: [] }),
      part: torchTensor({ ...weight, shape: [2, 1], strides: [2, 1], offset: 1 }),
      epoch: small(3),
      args: pickled.object("argparse", "Namespace"),
    }),
    storages: { "0": floats("F32", numbers), "1": encode("<i8", [7n]) },
    ...(deflate && { deflate }),
  });
}
