import { type SafetensorsPart, text } from "./models.js";
import {
  codes,
  E2M1,
  e4m3,
  f32,
  int32,
  int64,
  positive,
  range,
  sizeOf,
  u8,
  word,
} from "./safetensors-parts.js";

/** A weight as its format has it, and its numbers by plain loops. */
export interface Quantized {
  readonly parts: readonly SafetensorsPart[];
  readonly shape: readonly number[];
  readonly numbers: readonly number[];
}

/** Any map of codes to numbers will do. */
const MAP = Float32Array.from(range(16), (k) => Math.tanh((k - 7) / 5));
const NESTED = Float32Array.from(range(256), (k) => (k - 100) / 156);

export interface FourBitOptions {
  readonly type?: "nf4" | "fp4";
  readonly blocksize?: number;
  readonly nested?: boolean;
  readonly dtype?: string;
  /** what the state says instead */
  readonly state?: object | string;
}

/** NF4 or FP4, as `QuantState.as_dict(packed=True)` of bitsandbytes has it. */
export function fourBits(name: string, shape: readonly number[], options: FourBitOptions = {}): Quantized {
  const { type = "nf4", blocksize = 64, nested = false, dtype = "U8" } = options;
  const count = sizeOf(shape);
  const size = Math.ceil(count / 2);
  const bytes = codes(size);
  const blocks = Math.ceil(count / blocksize);
  const outer = positive(Math.ceil(blocks / 256));
  const nestedCodes = Uint8Array.from(range(blocks), (k) => (37 * k + 11) % 256);
  const offset = 0.1234567;
  const maxima = nested
    ? Array.from(nestedCodes, (code, k) =>
        Math.fround(Math.fround(NESTED[code] * outer[Math.floor(k / 256)]) + Math.fround(offset)),
      )
    : positive(blocks);
  const state = {
    ...{ quant_type: type, blocksize, dtype: "bfloat16", shape },
    ...(nested && { nested_blocksize: 256, nested_dtype: "float32", nested_offset: offset }),
  };
  const json = text(options.state ?? state);
  const width = { U8: 1, BF16: 2, F32: 4 }[dtype] ?? 1;
  const parts: SafetensorsPart[] = [
    { name, dtype, shape: [size / width, 1], data: bytes },
    nested ? u8(`${name}.absmax`, [blocks], nestedCodes) : f32(`${name}.absmax`, [blocks], maxima),
    f32(`${name}.quant_map`, [16], MAP),
    ...(nested
      ? [f32(`${name}.nested_absmax`, [outer.length], outer), f32(`${name}.nested_quant_map`, [256], NESTED)]
      : []),
    u8(`${name}.quant_state.bitsandbytes__${type}`, [json.length], json),
  ];
  const numbers = range(count).map((i) => {
    const byte = bytes[i >> 1];
    return Math.fround(MAP[i % 2 === 0 ? byte >> 4 : byte & 15] * maxima[Math.floor(i / blocksize)]);
  });
  return { parts, shape, numbers };
}

export interface PackOptions {
  readonly rows?: number;
  readonly cols?: number;
  readonly bits?: 4 | 8;
  /** columns of a row that share a scale; 0: one scale for all */
  readonly group?: number;
  readonly zeros?: "none" | "packed" | "bytes";
  readonly order?: readonly number[];
}

/** Numbers in the lowest bits first, in as many words as they take. */
const wordsOf = (numbers: readonly number[], bits: number) => {
  const perWord = 32 / bits;
  return range(Math.ceil(numbers.length / perWord)).map((w) =>
    word(numbers.slice(w * perWord, (w + 1) * perWord), bits),
  );
};

/** `pack-quantized` of compressed-tensors, the name before "weight_packed". */
export function packQuantized(name: string, options: PackOptions = {}): Quantized {
  const { rows = 6, cols = 64, bits = 4, group = 16, zeros = "none", order } = options;
  const half = 2 ** (bits - 1);
  const groups = group === 0 ? 1 : cols / group;
  const q = (i: number, j: number) => ((i * 7 + j * 5 + 3 * ((i * j) % 11)) % (2 * half)) - half;
  const zero = (i: number, g: number) => (zeros === "none" ? 0 : ((i + 3 * g) % half) - half / 2);
  const scales = positive(group === 0 ? 1 : rows * groups);
  const scale = (i: number, g: number) => scales[group === 0 ? 0 : i * groups + g];
  const groupOf = (j: number) => order?.[j] ?? Math.floor((j * groups) / cols);
  const down = range(groups).map((g) =>
    wordsOf(
      range(rows).map((i) => zero(i, g) + half),
      bits,
    ),
  );
  const parts: SafetensorsPart[] = [
    int32(
      `${name}weight_packed`,
      [rows, Math.ceil((cols * bits) / 32)],
      range(rows).flatMap((i) =>
        wordsOf(
          range(cols).map((j) => q(i, j) + half),
          bits,
        ),
      ),
    ),
    f32(`${name}weight_scale`, group === 0 ? [1] : [rows, groups], scales),
    int64(`${name}weight_shape`, [2], [rows, cols]),
  ];
  if (zeros === "packed")
    parts.push(
      int32(
        `${name}weight_zero_point`,
        [down[0].length, groups],
        down[0].flatMap((_, w) => down.map((g) => g[w])),
      ),
    );
  if (zeros === "bytes")
    parts.push({
      ...{ name: `${name}weight_zero_point`, dtype: "I8", shape: [rows, groups] },
      data: new Uint8Array(
        Int8Array.from(range(rows).flatMap((i) => range(groups).map((g) => zero(i, g)))).buffer,
      ),
    });
  if (order) parts.push(int32(`${name}weight_g_idx`, [cols], order));
  const numbers = range(rows).flatMap((i) =>
    range(cols).map((j) => Math.fround(scale(i, groupOf(j)) * (q(i, j) - zero(i, groupOf(j))))),
  );
  return { parts, numbers, shape: [rows, cols] };
}

export interface GptqOptions {
  readonly inputs?: number;
  readonly outputs?: number;
  readonly groups?: number;
  readonly bits?: 2 | 4 | 8;
  readonly awq?: boolean;
  /** what is taken from a zero when it is stored */
  readonly less?: number;
  readonly order?: readonly number[];
}

/** GPTQ or AWQ, the name before ".qweight". */
export function gptq(name: string, options: GptqOptions = {}): Quantized {
  const { inputs = 32, outputs = 16, groups = 2, bits = 4, awq = false, order } = options;
  const { less = awq ? 0 : 1 } = options;
  const per = 32 / bits;
  const q = (i: number, o: number) => (i * 7 + o * 5 + 3 + ((i * o) % 5)) % 2 ** bits;
  const zero = (g: number, o: number) => 1 + ((g + 3 * o) % (2 ** bits - 1));
  const scales = positive(groups * outputs);
  const groupOf = (i: number) => order?.[i] ?? Math.floor((i * groups) / inputs);
  const places = awq ? [0, 2, 4, 6, 1, 3, 5, 7] : range(per);
  const across = (at: (o: number) => number) =>
    range(outputs / per).map((w) => word(places.map((k) => at(w * per + k))));
  const down = (w: number) => range(outputs).map((o) => word(range(per).map((k) => q(w * per + k, o))));
  const parts: SafetensorsPart[] = [
    awq
      ? int32(
          `${name}.qweight`,
          [inputs, outputs / per],
          range(inputs).flatMap((i) => across((o) => q(i, o))),
        )
      : int32(`${name}.qweight`, [inputs / per, outputs], range(inputs / per).flatMap(down)),
    int32(
      `${name}.qzeros`,
      [groups, outputs / per],
      range(groups).flatMap((g) => across((o) => zero(g, o) - less)),
    ),
    f32(`${name}.scales`, [groups, outputs], scales),
    ...(order ? [int32(`${name}.g_idx`, [inputs], order)] : []),
  ];
  const numbers = range(inputs).flatMap((i) =>
    range(outputs).map((o) =>
      Math.fround(scales[groupOf(i) * outputs + o] * (q(i, o) - zero(groupOf(i), o))),
    ),
  );
  return { parts, shape: [inputs, outputs], numbers };
}

/** NVFP4 as TensorRT Model Optimizer has it. */
export function nvfp4(name: string, rows: number, cols: number): Quantized {
  const bytes = codes((rows * cols) / 2, 7);
  const blocks = Uint8Array.from(codes((rows * cols) / 16, 9), (code) => code & 0x7f);
  const whole = Math.fround(0.0123);
  const numbers = [...bytes]
    .flatMap((byte) => [E2M1[byte & 15], E2M1[byte >> 4]])
    .map((x, i) => Math.fround(x * (e4m3(blocks[Math.floor(i / 16)]) * whole)));
  const scale = { name: `${name}.weight_scale`, dtype: "F8_E4M3", shape: [rows, cols / 16], data: blocks };
  const parts = [
    u8(`${name}.weight`, [rows, cols / 2], bytes),
    scale,
    f32(`${name}.weight_scale_2`, [], [whole]),
  ];
  return { parts, shape: [rows, cols], numbers };
}

export interface MlxOptions {
  /** of a matrix; with three axes a stack of them */
  readonly shape?: readonly number[];
  readonly bits?: 2 | 4 | 8;
  readonly group?: number;
}

/** The affine mode of MLX, the name before ".weight". */
export function mlx(name: string, options: MlxOptions = {}): Quantized {
  const { shape = [6, 128], bits = 4, group = 64 } = options;
  const count = sizeOf(shape);
  const cols = shape[shape.length - 1];
  const numbers = range(count).map((i) => (i * 7 + 3 * (Math.floor(i / cols) % 11)) % 2 ** bits);
  const perWord = 32 / bits;
  const words = range(count / perWord).map((w) => word(numbers.slice(w * perWord, (w + 1) * perWord), bits));
  const scales = positive(count / group);
  const biases = scales.map((scale, k) => Math.fround(-scale * (k % 5)));
  const before = shape.slice(0, -1);
  const parts = [
    { ...int32(`${name}.weight`, [...before, cols / perWord], words), dtype: "U32" },
    f32(`${name}.scales`, [...before, cols / group], scales),
    f32(`${name}.biases`, [...before, cols / group], biases),
  ];
  const decoded = numbers.map((q, i) => {
    const k = Math.floor(i / group);
    return Math.fround(scales[k] * q + biases[k]);
  });
  return { parts, shape, numbers: decoded };
}
