// robustness/adversary.ts
function adversary({
  name,
  rows,
  cols,
  entries,
  truth,
  start,
  answer,
  againstOurs
}) {
  let made;
  let known;
  const data = () => {
    made ??= entries();
    return made;
  };
  return {
    ...{ name, rows, cols, answer: answer ?? "norm" },
    ...againstOurs ? { againstOurs } : {},
    get entries() {
      return data();
    },
    get truth() {
      known ??= truth(data());
      return known;
    },
    ...start ? { start: start() } : {}
  };
}
function filled(rows, cols, entry2) {
  const data = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) data[i * cols + j] = entry2(i, j);
  return data;
}
function unit(x) {
  const size2 = Math.hypot(...Array.from(x));
  return Float64Array.from(x, (value) => value / size2);
}
function axis(length, k) {
  const x = new Float64Array(length);
  x[k] = 1;
  return x;
}

// test/certify/exact.ts
function parts(x) {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, x);
  const all = bits.getBigUint64(0);
  const field = Number(all >> 52n & 0x7ffn);
  const fraction = all & (1n << 52n) - 1n;
  const value = field === 0 ? fraction : fraction | 1n << 52n;
  return { value: x < 0 ? -value : value, exponent: Math.max(field, 1) - 1075 };
}
function whole(x, scale) {
  const { value, exponent } = parts(x);
  const shift = exponent + scale;
  if (shift >= 0) return value << BigInt(shift);
  const result = value >> BigInt(-shift);
  if (result << BigInt(-shift) !== value) throw new RangeError(`${x}\xB72^${scale} is not whole`);
  return result;
}
function scaleFor(...lists) {
  let scale = 0;
  for (const list of lists)
    for (let i = 0; i < list.length; i++) {
      const { value, exponent } = parts(list[i]);
      if (value === 0n) continue;
      let [rest, e] = [value, exponent];
      while ((rest & 1n) === 0n) [rest, e] = [rest >> 1n, e + 1];
      scale = Math.max(scale, -e);
    }
  return scale;
}
function dotExactly(x, y) {
  return x.reduce((sum, value, i) => sum + value * y[i], 0n);
}
function absolute(x) {
  return x < 0n ? -x : x;
}
function near(value, scale) {
  if (value === 0n) return 0;
  const length = absolute(value).toString(2).length;
  const cut = Math.max(0, length - 60);
  const top = Number(value >> BigInt(cut));
  let [x, e] = [top, cut - scale];
  for (; e > 500; e -= 500) x *= 2 ** 500;
  for (; e < -500; e += 500) x *= 2 ** -500;
  return x * 2 ** e;
}
function shortRows(data, m, n, scale = scaleFor(data)) {
  const [short, long] = [Math.min(m, n), Math.max(m, n)];
  return Array.from(
    { length: short },
    (_, i) => Array.from({ length: long }, (_2, j) => whole(m <= n ? data[i * n + j] : data[j * n + i], scale))
  );
}
function root(x) {
  if (x <= 0n) return 0n;
  let r = 1n << BigInt(x.toString(2).length + 1 >> 1);
  for (; ; ) {
    const next = r + x / r >> 1n;
    if (next >= r) return r;
    r = next;
  }
}

// robustness/exact-truth.ts
var BITS = 700n;
function exactTruth(data, rows, cols, gap2) {
  const scale = scaleFor(data);
  const A = shortRows(data, rows, cols, scale);
  const G = A.map((x) => A.map((y) => dotExactly(x, y)));
  const normalized = (M2) => {
    const trace = M2.reduce((sum, row, i) => sum + row[i], 0n);
    return M2.map((row) => row.map((x) => (x << BITS) / trace));
  };
  let M = normalized(G);
  for (let k = 0; k < 64; k++) {
    const last = M;
    M = last.map((row) => row.map(() => 0n));
    for (let i = 0; i < last.length; i++)
      for (let j = 0; j <= i; j++) {
        const product = dotExactly(last[i], last[j]);
        M[i][j] = product;
        M[j][i] = product;
      }
    M = normalized(M);
    if (M.every((row, i) => row.every((x, j) => (x - last[i][j]) ** 2n < 1n << 300n))) break;
  }
  const square = M.reduce((sum, row, i) => sum + dotExactly(row, G[i]), 0n);
  const sigma = near(root(square << 400n), Number(BITS / 2n) + 200 + scale);
  const weight = M.reduce((sum, row) => sum + dotExactly(row, row), 0n);
  const multiplicity = Math.round(1 / near(weight, 2 * Number(BITS)));
  if (multiplicity > 1) return { sigma, gap: 0, multiplicity };
  const largest = M.reduce((most, row, i) => row[i] > M[most][most] ? i : most, 0);
  const short = M[largest];
  const long = A[0].map((_, j) => A.reduce((sum, row, i) => sum + row[j] * short[i], 0n));
  const [u, v] = rows <= cols ? [short, long] : [long, short];
  return { sigma, gap: gap2, multiplicity, u: unitOf(u), v: unitOf(v) };
}
function unitOf(x) {
  const length = root(dotExactly(x, x));
  return Float64Array.from(x, (value) => near((value << BITS) / length, Number(BITS)));
}
function fits(data, format) {
  if (format === "float32") return data.every((x) => Math.fround(x) === x);
  const [digits, least, most] = format === "float16" ? [11, -24, 2 ** 16] : [8, -133, 2 ** 128];
  return data.every((x) => {
    if (x === 0) return true;
    if (Math.abs(x) >= most || Math.abs(x) < 2 ** least) return false;
    const top = Math.floor(Math.log2(Math.abs(x)));
    const unit2 = Math.max(top - digits + 1, least);
    return Number.isInteger(x * 2 ** -unit2) && whole(x, 1074) !== 0n;
  });
}

// robustness/hadamard.ts
function sign(i, j) {
  let bits = i & j;
  let odd = 0;
  for (; bits; bits &= bits - 1) odd ^= 1;
  return odd ? -1 : 1;
}
function below(i) {
  return [0.75, 0.625, 0.5, 0.375, 0.25, 0.125][i % 6];
}
function rotated({ name, rows, cols, values, shuffled = true, start }) {
  const k = Math.min(rows, cols);
  const scale = Math.sqrt(rows * cols);
  if (!Number.isInteger(Math.log2(scale)))
    throw new RangeError(`${name}: \u221A(${rows}\xB7${cols}) is no power of two`);
  const d = Array.from({ length: k }, (_, i) => values(i));
  const ordered = [...d].sort((a, b) => b - a);
  const multiplicity = ordered.filter((value) => value === ordered[0]).length;
  const place = (i, size2) => shuffled ? (5 * i + 3) % size2 : i;
  const flip = (i) => shuffled && i % 3 === 1 ? -1 : 1;
  const column = (c, size2) => {
    const x = new Float64Array(size2);
    for (let i = 0; i < size2; i++) x[place(i, size2)] = flip(i) * sign(i, c) / Math.sqrt(size2);
    return x;
  };
  const first = d.indexOf(ordered[0]);
  const vectors = multiplicity === 1 ? { u: column(first, rows), v: column(first, cols) } : {};
  const truth = {
    sigma: ordered[0],
    gap: k === 1 ? 1 : 1 - ordered[1] / ordered[0],
    multiplicity,
    ...vectors
  };
  return adversary({
    ...{ name, rows, cols },
    entries() {
      const data = new Float64Array(rows * cols);
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < cols; j++) {
          let sum = 0;
          for (let r = 0; r < k; r++) sum += d[r] * sign(i ^ j, r);
          data[place(i, rows) * cols + place(j, cols)] = flip(i) * flip(j) * sum / scale;
        }
      return data;
    },
    truth: () => truth,
    ...start && vectors.v ? { start: () => start(column(first, cols), column(d.indexOf(ordered[1]), cols)) } : {}
  });
}

// robustness/cases/gaps.ts
var exponents = [10, 13, 17, 20, 23, 27, 30, 33, 37, 40, 43, 46, 50];
var size = (e) => e > 49 ? 8 : 16;
function gap(e, n) {
  return rotated({
    name: `gap 2^-${e} \u2248 ${(2 ** -e).toExponential(0)}, ${n}\xD7${n}`,
    rows: n,
    cols: n,
    values: (i) => i === 5 ? 1 : i === 2 ? 1 - 2 ** -e : below(i)
  });
}
var gaps = [
  ...exponents.map((e) => gap(e, size(e))),
  // Beyond what goes dense, where an iteration has to tell them apart.
  ...[10, 20, 30, 40, 46].map((e) => gap(e, 128)),
  rotated({
    name: "gap 2^-33 \u2248 1e-10, 512\xD7128",
    rows: 512,
    cols: 128,
    values: (i) => i === 7 ? 1 : i === 9 ? 1 - 2 ** -33 : below(i)
  }),
  adversary({
    name: "gap 2^-30 \u2248 1e-9 on a diagonal, 200\xD7200",
    rows: 200,
    cols: 200,
    entries: () => filled(200, 200, (i, j) => i !== j ? 0 : i === 120 ? 1 : i === 3 ? 1 - 2 ** -30 : below(i)),
    truth: () => ({ sigma: 1, gap: 2 ** -30, multiplicity: 1, u: axis(200, 120), v: axis(200, 120) })
  }),
  // More values close together than a block has vectors.
  ...[20, 30, 40].map(
    (e) => rotated({
      name: `five values of spacing 2^-${e} \u2248 ${(2 ** -e).toExponential(0)}, 128\xD7128`,
      rows: 128,
      cols: 128,
      values: (i) => i < 5 ? 1 - i * 2 ** -e : below(i)
    })
  ),
  adversary({
    name: "Wilkinson\u2019s W\u2082\u2081\u207A, two values that agree in 14 digits",
    rows: 21,
    cols: 21,
    entries: () => filled(21, 21, (i, j) => i === j ? Math.abs(i - 10) : Math.abs(i - j) === 1 ? 1 : 0),
    truth: (data) => exactTruth(data, 21, 21, 7e-15)
  })
];
var ties = [
  ...[2, 3, 4, 8, 16].map((k) => tie(k, 16, 16)),
  ...[2, 3, 4, 64, 128].map((k) => tie(k, 128, 128)),
  tie(2, 512, 128),
  tie(128, 128, 512),
  adversary({
    name: "tie of 2, star graph of order 90",
    rows: 90,
    cols: 90,
    entries: () => filled(90, 90, (i, j) => i === 0 !== (j === 0) ? 1 : 0),
    truth: () => ({ sigma: Math.sqrt(89), gap: 0, multiplicity: 2 })
  }),
  adversary({
    name: "tie of all, \u2212I of order 70",
    rows: 70,
    cols: 70,
    entries: () => filled(70, 70, (i, j) => i === j ? -1 : -0),
    truth: () => ({ sigma: 1, gap: 0, multiplicity: 70 })
  })
];
function tie(k, rows, cols) {
  const all = k === Math.min(rows, cols);
  return rotated({
    name: `tie of ${all ? "all" : k}, ${rows}\xD7${cols}`,
    ...{ rows, cols },
    // Not the first columns, which are the simplest.
    values: (i) => i >= 3 && i < 3 + k ? 1 : all ? 1 : i + k > Math.min(rows, cols) && i < 3 ? 1 : below(i)
  });
}

// robustness/cases/scales.ts
var small = [3, -1, 4, 1, -5, 9, 2, -6, 5, 3, 5, -8, 9, 7, -9, 3, 2, 3, -8, 4, 6, 2, 6, -4, 3];
var entry = (i, j) => small[(7 * i + 3 * j + i * j) % 25];
function exact(name, rows, cols, gap2, at) {
  return adversary({
    ...{ name, rows, cols },
    entries: () => filled(rows, cols, at),
    truth: (data) => exactTruth(data, rows, cols, gap2)
  });
}
function scaled(e, name) {
  return exact(name, 5, 4, 0.4, (i, j) => entry(i, j) * 2 ** e);
}
var graded = (e, i, count) => 2 ** Math.round(e - 2 * e * i / (count - 1));
var tiny = 2 ** -1074;
var scales = [
  exact("rows graded from 1e150 down to 1e-150", 12, 8, 1, (i, j) => entry(i, j) * graded(498, i, 12)),
  exact("rows graded from 1e-150 up to 1e150", 12, 8, 1, (i, j) => entry(i, j) * graded(-498, i, 12)),
  exact("columns graded from 1e-150 up to 1e150", 8, 12, 1, (i, j) => entry(i, j) * graded(-498, j, 12)),
  exact("rows graded from 1e30 down to 1e-30", 12, 8, 1, (i, j) => entry(i, j) * graded(100, i, 12)),
  exact(
    "graded rows and columns, 1e\xB1150",
    9,
    9,
    1,
    (i, j) => entry(i, j) * graded(249, i, 9) * graded(-249, j, 9)
  ),
  // The large entries alone square to infinity, the small ones to zero.
  exact("a diagonal of 1e200, 1e-200, 1e160", 3, 3, 1, (i, j) => i === j ? 2 ** [664, -664, 531][i] : 0),
  scaled(996, "all times 1e300"),
  scaled(-996, "all times 1e-300"),
  scaled(512, "all times 1e154, squares overflow"),
  scaled(-540, "all times 1e-163, squares vanish"),
  scaled(120, "all times 1e36"),
  scaled(-100, "all times 1e-30"),
  scaled(10, "all times 1e3"),
  scaled(-10, "all times 1e-3, below the notebook\u2019s atol"),
  scaled(1020, "all times 1e307, the norm just below the largest double"),
  exact("subnormal entries of float64", 4, 3, 0.5, (i, j) => entry(i, j) * tiny),
  exact("subnormal beside normal entries", 4, 3, 0.5, (i, j) => i === j ? 2 ** -1022 : entry(i, j) * tiny),
  exact("one entry, the smallest subnormal", 2, 3, 1, (i, j) => i === 1 && j === 1 ? tiny : 0),
  exact("subnormal entries of float32", 4, 3, 0.5, (i, j) => entry(i, j) * 2 ** -149),
  exact("a subnormal matrix with one entry of 1", 3, 3, 1, (i, j) => i === 2 && j === 0 ? 1 : tiny),
  adversary({
    name: "a norm beyond the largest double",
    rows: 2,
    cols: 2,
    entries: () => new Float64Array(4).fill(15e307),
    truth: () => ({ sigma: Number.POSITIVE_INFINITY, gap: 1, multiplicity: 1 }),
    answer: "overflow"
  })
];

// robustness/cases/shapes.ts
function constant(name, rows, cols, value = 1) {
  return adversary({
    ...{ name, rows, cols },
    entries: () => new Float64Array(rows * cols).fill(value),
    truth: () => ({
      ...{ sigma: value * Math.sqrt(rows * cols), gap: 1, multiplicity: 1 },
      u: new Float64Array(rows).fill(1 / Math.sqrt(rows)),
      v: new Float64Array(cols).fill(1 / Math.sqrt(cols))
    })
  });
}
function zero(rows, cols) {
  return adversary({
    name: `zero, ${rows}\xD7${cols}`,
    ...{ rows, cols },
    entries: () => new Float64Array(rows * cols),
    truth: () => ({ sigma: 0, gap: 0, multiplicity: Math.min(rows, cols) })
  });
}
function rankOne(rows, cols) {
  const a = Float64Array.from({ length: rows }, (_, i) => i * 7 % 11 - 4);
  const b = Float64Array.from({ length: cols }, (_, j) => j * 5 % 13 - 6);
  const square = (x) => x.reduce((sum, value) => sum + value * value, 0);
  return adversary({
    name: `rank one, ${rows}\xD7${cols}`,
    ...{ rows, cols },
    entries: () => filled(rows, cols, (i, j) => a[i] * b[j]),
    truth: () => ({
      ...{ sigma: Math.sqrt(square(a) * square(b)), gap: 1, multiplicity: 1 },
      u: a.map((x) => x / Math.sqrt(square(a))),
      v: b.map((x) => x / Math.sqrt(square(b)))
    })
  });
}
function walsh(long, tall) {
  const weights = [0.5, 1, 0.875, 0.25];
  const vector = Float64Array.from({ length: long }, (_, j) => sign(j % 4, 1) / Math.sqrt(long));
  return adversary({
    name: tall ? `${long}\xD74, orthogonal columns` : `4\xD7${long}, orthogonal rows`,
    ...tall ? { rows: long, cols: 4 } : { rows: 4, cols: long },
    entries: () => tall ? filled(long, 4, (i, j) => weights[j] * sign(i % 4, j)) : filled(4, long, (i, j) => weights[i] * sign(j % 4, i)),
    truth: () => ({
      ...{ sigma: Math.sqrt(long), gap: 0.125, multiplicity: 1 },
      ...tall ? { u: vector, v: axis(4, 1) } : { u: axis(4, 1), v: vector }
    })
  });
}
function swallowing(count) {
  return adversary({
    name: `${count}\xD71, 1e8 and then ones`,
    rows: count,
    cols: 1,
    entries: () => filled(count, 1, (i) => i === 0 ? 1e8 : 1),
    truth: (data) => {
      const sigma = Math.sqrt(1e16 + count - 1);
      return { sigma, gap: 1, multiplicity: 1, u: data.map((x) => x / sigma), v: Float64Array.of(1) };
    }
  });
}
var shapes = [
  constant("1\xD71", 1, 1, 0.7),
  adversary({
    name: "1\xD71, negative",
    rows: 1,
    cols: 1,
    entries: () => Float64Array.of(-3),
    truth: () => ({ sigma: 3, gap: 1, multiplicity: 1, u: Float64Array.of(-1), v: Float64Array.of(1) })
  }),
  adversary({
    name: "1\xD77",
    rows: 1,
    cols: 7,
    entries: () => Float64Array.from({ length: 7 }, (_, j) => j - 2),
    truth: (data) => ({
      ...{ sigma: Math.sqrt(35), gap: 1, multiplicity: 1 },
      ...{ u: Float64Array.of(1), v: unit(data) }
    })
  }),
  constant("1000000\xD71, all 0.7", 1e6, 1, 0.7),
  constant("1\xD71000000, all 0.7", 1, 1e6, 0.7),
  swallowing(1000001),
  constant("100000\xD732, ones", 1e5, 32),
  walsh(5e4, true),
  walsh(5e4, false),
  rankOne(31, 47),
  rankOne(150, 90),
  zero(1, 1),
  zero(5, 3),
  zero(80, 100)
];
var refused = [
  ["NaN in the last entry, 4\xD73", Number.NaN, 4, 3, 11],
  ["NaN in the middle, 90\xD790", Number.NaN, 90, 90, 4567],
  ["an infinite entry, 4\xD73", Number.POSITIVE_INFINITY, 4, 3, 5],
  ["a negative infinite entry, 80\xD7100", Number.NEGATIVE_INFINITY, 80, 100, 7999]
].map(
  ([name, value, rows, cols, at]) => adversary({
    ...{ name, rows, cols },
    entries: () => filled(rows, cols, (i, j) => i * cols + j === at ? value : 1),
    truth: () => ({ sigma: Number.NaN, gap: 1, multiplicity: 1 }),
    answer: "refused"
  })
);

// src/solve/random.ts
function createRandom(seed) {
  let mix = (Math.imul(Math.floor(seed / 2 ** 32), 2654435769) ^ seed) >>> 0;
  const next = () => {
    mix = mix + 2654435769 >>> 0;
    let z = mix;
    z = Math.imul(z ^ z >>> 16, 2246822507);
    z = Math.imul(z ^ z >>> 13, 3266489909);
    return (z ^ z >>> 16) >>> 0;
  };
  let a = next();
  let b = next();
  let c = next();
  let d = next();
  const bits = () => {
    const product = Math.imul(b, 5);
    const result = Math.imul(product << 7 | product >>> 25, 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = d << 11 | d >>> 21;
    return result;
  };
  const uniform = () => (bits() + (bits() >>> 11) * 2 ** 32 + 0.5) / 2 ** 53;
  let spare = Number.NaN;
  return {
    uniform,
    normal() {
      if (!Number.isNaN(spare)) {
        const value = spare;
        spare = Number.NaN;
        return value;
      }
      for (; ; ) {
        const x = 2 * uniform() - 1;
        const y = 2 * uniform() - 1;
        const square = x * x + y * y;
        if (square >= 1 || square === 0) continue;
        const factor = Math.sqrt(-2 * Math.log(square) / square);
        spare = y * factor;
        return x * factor;
      }
    }
  };
}

// robustness/cases/starts.ts
var alternating = (i) => i === 1 ? 1 : i === 0 ? 0.5 : below(i) / 4;
function behindABlock() {
  const inner = 32;
  const size2 = 3 + inner;
  const vector = Float64Array.from(
    { length: size2 },
    (_, i) => i < 3 ? 0 : sign(i - 3, 1) / Math.sqrt(inner)
  );
  return adversary({
    name: "v\u2081 \u27C2 ones, every row sum, the first and the longest row",
    rows: size2,
    cols: size2,
    entries: () => filled(size2, size2, (i, j) => {
      if (i < 3 || j < 3) return i === j ? 0.75 : 0;
      let sum = 0;
      for (let r = 0; r < inner; r++) sum += alternating(r) * sign(i - 3 ^ j - 3, r);
      return sum / inner;
    }),
    truth: () => ({ sigma: 1, gap: 0.25, multiplicity: 1, u: vector, v: vector })
  });
}
function againstOurStart() {
  const n = 128;
  const random = createRandom(2 ** 44);
  const starts2 = [0, 1].map(() => Float64Array.from({ length: n }, () => random.normal()));
  const v = Float64Array.from({ length: n }, (_, i) => sign(i, 77));
  for (let pass = 0; pass < 3; pass++) {
    const [a, b] = [unit(starts2[0]), starts2[1].slice()];
    subtract(b, a);
    for (const q of [a, unit(b)]) subtract(v, q);
  }
  const first = unit(v);
  return adversary({
    name: "v\u2081 \u27C2 this package\u2019s own start (seed 0)",
    rows: n,
    cols: n,
    entries: () => filled(n, n, (i, j) => (i === j ? 0.5 : 0) + 0.5 * first[i] * first[j]),
    truth: () => ({ sigma: 1, gap: 0.5, multiplicity: 1, u: first, v: first }),
    againstOurs: true
  });
}
function subtract(x, q) {
  const dot = x.reduce((sum, value, i) => sum + value * q[i], 0);
  for (let i = 0; i < x.length; i++) x[i] -= dot * q[i];
}
var starts = [
  ...[16, 128].map(
    (n) => rotated({
      name: `v\u2081 \u27C2 ones, ${n}\xD7${n}`,
      rows: n,
      cols: n,
      values: alternating,
      shuffled: false
    })
  ),
  adversary({
    name: "v\u2081 \u27C2 first row and first column",
    rows: 3,
    cols: 3,
    entries: () => Float64Array.of(0.5, 0, 0, 0, 0.625, 0.625, 0, 0.625, 0.625),
    truth: () => ({
      ...{ sigma: 1.25, gap: 0.6, multiplicity: 1 },
      u: unit([0, 1, 1]),
      v: unit([0, 1, 1])
    })
  }),
  adversary({
    name: "v\u2081 \u27C2 every unit vector but the last, 90\xD790",
    rows: 90,
    cols: 90,
    entries: () => filled(90, 90, (i, j) => i !== j ? 0 : i === 89 ? 1 : 0.5),
    truth: () => ({ sigma: 1, gap: 0.5, multiplicity: 1, u: axis(90, 89), v: axis(90, 89) })
  }),
  behindABlock(),
  againstOurStart(),
  // The residual of a singular vector is zero, whichever it is.
  ...[16, 128].map(
    (n) => rotated({
      name: `started at the second singular vector, ${n}\xD7${n}`,
      rows: n,
      cols: n,
      values: (i) => i === 3 ? 1 : i === 0 ? 0.9375 : below(i),
      start: (_, second) => second
    })
  ),
  rotated({
    name: "started at (1e-5, 1) of \u03C3 = (1, 0.99\u2026), 16\xD716",
    rows: 16,
    cols: 16,
    values: (i) => i === 3 ? 1 : i === 0 ? 1 - 2 ** -7 : below(i),
    start: (v, second) => second.map((x, i) => x + 1e-5 * v[i])
  })
];

// robustness/cases/structures.ts
function exact2(name, rows, cols, gap2, at) {
  return adversary({
    ...{ name, rows, cols },
    entries: () => filled(rows, cols, at),
    truth: (data) => exactTruth(data, rows, cols, gap2)
  });
}
function kahan(i, j) {
  const [s, c] = [Math.sin(1.2), Math.cos(1.2)];
  return i === j ? s ** i : i < j ? -c * s ** i : 0;
}
var binomial = (n, k) => k === 0 ? 1 : binomial(n - 1, k - 1) * n / k;
var cancelling = (big) => (i, j) => i === 8 ? 1 : j === 1 && i % 2 === 1 ? -big : big;
var structures = [
  exact2("Hilbert 10\xD710", 10, 10, 0.8, (i, j) => 1 / (i + j + 1)),
  exact2("Hilbert 20\xD76", 20, 6, 0.8, (i, j) => 1 / (i + j + 1)),
  exact2("Kahan 10\xD710, \u03B8 = 1.2", 10, 10, 0.3, kahan),
  exact2("Pascal 12\xD712", 12, 12, 0.97, (i, j) => binomial(i + j, i)),
  exact2("Vandermonde 12\xD76", 12, 6, 0.9, (i, j) => (i + 1) ** j),
  exact2("L\xE4uchli 6\xD75, \u03B5 = 2^-27", 6, 5, 1, (i, j) => i === 0 ? 1 : i === j + 1 ? 2 ** -27 : 0),
  exact2("Gram matrix that cancels to 2^-21", 9, 2, 2 ** -23, cancelling(2 ** 10)),
  exact2("Gram matrix that cancels to 2^-41", 9, 2, 2 ** -43, cancelling(2 ** 20)),
  exact2("Gram matrix that cancels to 2^-53", 9, 2, 2 ** -55, cancelling(2 ** 26)),
  exact2("Frank 12\xD712", 12, 12, 0.7, (i, j) => j < i - 1 ? 0 : 12 - Math.max(i, j)),
  exact2("Jordan block of order 12", 12, 12, 0.02, (i, j) => i === j || j === i + 1 ? 1 : 0),
  exact2("Grcar 14\xD714", 14, 14, 0.05, (i, j) => j === i - 1 ? -1 : j >= i && j <= i + 3 ? 1 : 0),
  exact2("one entry of 2^30 among ones, 9\xD77", 9, 7, 1, (i, j) => i === 4 && j === 5 ? 2 ** 30 : 1),
  adversary({
    name: "lower-triangular ones of order 100",
    rows: 100,
    cols: 100,
    entries: () => filled(100, 100, (i, j) => j <= i ? 1 : 0),
    // σ = 1/(2 sin(π/(4n+2))), vectors of sines and cosines.
    truth: () => ({
      ...{ sigma: 1 / (2 * Math.sin(Math.PI / 402)), gap: 2 / 3, multiplicity: 1 },
      u: unit(Array.from({ length: 100 }, (_, i) => Math.sin((i + 1) * Math.PI / 201))),
      v: unit(Array.from({ length: 100 }, (_, j) => Math.cos((2 * j + 1) * Math.PI / 402)))
    })
  }),
  adversary({
    name: "differences 99\xD7100, \u03C3\u2082 within 4e-4",
    rows: 99,
    cols: 100,
    entries: () => filled(99, 100, (i, j) => j === i ? -1 : j === i + 1 ? 1 : 0),
    // σ = 2cos(π/2n): v has cosines, u sines, of the highest frequency.
    truth: () => ({
      ...{ sigma: 2 * Math.cos(Math.PI / 200), gap: 37e-5, multiplicity: 1 },
      u: unit(Array.from({ length: 99 }, (_, i) => -Math.sin(99 * (i + 1) * Math.PI / 100))),
      v: unit(Array.from({ length: 100 }, (_, j) => Math.cos(99 * (j + 0.5) * Math.PI / 100)))
    })
  })
];

// robustness/cases.ts
var families = [
  {
    title: "Starts that see nothing of v\u2081",
    fools: "An iteration from ones, a row or a unit vector stays orthogonal to v\u2081, and a residual is zero at every singular vector.",
    cases: starts
  },
  {
    title: "Gaps",
    fools: "With \u03C3\u2082 close to \u03C3\u2081 power iteration turns by next to nothing in a step, and a rule that watches the change stops.",
    cases: gaps
  },
  {
    title: "Ties",
    fools: "At \u03C3\u2081 = \u03C3\u2082 the derivative is a set: of it one member is wanted, and formulas that divide by \u03C3\u2081 \u2212 \u03C3\u2082 break.",
    cases: ties
  },
  {
    title: "Scales",
    fools: "Squares overflow from 1e154 on and vanish below 1e-162; absolute tolerances mean something else at every scale.",
    cases: scales
  },
  {
    title: "Structures",
    fools: "Gram matrices lose small columns to rounding; clustered or badly conditioned values slow iterations down.",
    cases: structures
  },
  {
    title: "Shapes, and nothing in them",
    fools: "A million terms added one by one lose digits, a full decomposition of a long matrix takes its square in memory, and zero is divided by.",
    cases: shapes
  },
  {
    title: "Entries that are no numbers",
    fools: "What is asked for here is a refusal: an error, or at least a NaN. A finite number is wrong.",
    cases: refused
  }
];
var adversaries = families.flatMap(({ cases }) => cases);

// ../../tmp/rob.ts
for (const a of adversaries) {
  const t0 = performance.now();
  const e = a.entries;
  const t = a.truth;
  console.log(a.name, `${a.rows}x${a.cols}`, t.sigma, "gap", t.gap.toExponential(1), "mult", t.multiplicity, !!t.u, ["float32", "float16", "bfloat16"].filter((f) => fits(e, f)).join(), (performance.now() - t0).toFixed(0) + "ms");
}
