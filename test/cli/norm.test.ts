import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { Command, CommanderError } from "commander";
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { afterAll, describe, expect, it } from "vitest";
import { widthOf } from "../../src/cli/fit.js";
import { delimiterOf, registerNorm } from "../../src/cli/norm-command.js";
import { type NormFlags, runNorm } from "../../src/cli/run-norm.js";
import { normByRealForm } from "../files/expand.js";
import { gguf, TYPE } from "../files/gguf-writer.js";
import { hdf5 } from "../files/hdf5-writer.js";
import { MatlabWriter } from "../files/matlab-writer.js";
import { cell73, full73, matlab73 } from "../files/matlab73-writer.js";
import { safetensors } from "../files/models.js";
import { graph, onnx, raw, tensor } from "../files/onnx-models.js";
import { smallTorchFile } from "../files/torch-writer.js";
import { encode, join as joined, npy, zip } from "../files/writers.js";

const folder = mkdtempSync(join(tmpdir(), "norm-"));
afterAll(() => rmSync(folder, { recursive: true }));

function put(name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function norm(files: readonly string[], options: NormFlags = {}, stdin: readonly Uint8Array[] = []) {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const status = await runNorm(files, options, {
    stdin: (async function* () {
      yield* stdin;
    })(),
    stdout: { write: (text) => stdout.push(text) },
    stderr: { write: (text) => stderr.push(text) },
  });
  return { status, stdout: stdout.join(""), stderr: stderr.join("") };
}

async function answers(files: readonly string[], options: NormFlags = {}, stdin: readonly Uint8Array[] = []) {
  const { status, stdout, stderr } = await norm(files, { ...options, json: true }, stdin);
  expect(stdout).toMatch(/^([^\n]+\n)*$/);
  const lines = stdout.split("\n").slice(0, -1);
  return { status, stderr, answers: lines.map((line) => JSON.parse(line)) };
}

const diagonal = (descr: string, ...values: number[]) =>
  npy({
    descr,
    shape: [values.length, values.length],
    data: encode(
      descr,
      values.flatMap((value, i) => values.map((_, j) => (i === j ? value : 0))),
    ),
  });
const simple = put("simple.npy", diagonal("<f8", 3, -5, 1));
const broken = put("broken.npy", diagonal("<f8", 3, -5, 1).subarray(0, -1));
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

describe("norm", () => {
  it("answers with just the keys that are promised, in their order", async () => {
    const { status, stderr, answers: found } = await answers([simple]);
    expect([status, stderr]).toEqual([0, ""]);
    const keys =
      "file rows cols dtype method sigma residual gap gradientError iterations passes converged tied".split(
        " ",
      );
    expect(Object.keys(found[0])).toEqual(keys);
    expect(found[0]).toMatchObject({
      file: simple,
      rows: 3,
      cols: 3,
      dtype: "float64",
      converged: true,
      tied: false,
    });
    expect(found[0].sigma).toBeCloseTo(5, 13);
    // An estimate, unlike σ.
    expect(found[0].gap).toBeCloseTo(2, 2);
  });

  it("knows the norms of real matrices", async () => {
    const { status, answers: found } = await answers(
      ["well1033", "illc1033", "west0479"].map((name) => fixture(`${name}.mtx`)),
    );
    expect(status).toBe(0);
    const sigma = [1.8065110200065646, 2.144354511283515, 318951.75980514265];
    const gap = [
      1.8065110200065646 - 1.7678371616479138,
      2.144354511283515 - 2.104230165766798,
      318951.75980514265 - 317252.89983629173,
    ];
    found.forEach((answer, k) => {
      expect(Math.abs(answer.sigma / sigma[k] - 1)).toBeLessThan(1e-13);
      expect(Math.abs(answer.gap / gap[k] - 1)).toBeLessThan(1e-3);
    });
  });

  it("says the precision that it computed in", async () => {
    const one = { "<f8": 1, "<f4": 1, "<f2": 0x3c00, "<i4": 1, "<u8": 1 };
    const files = Object.entries(one).map(([descr, bits]) =>
      put(`${descr.slice(1)}.npy`, diagonal(descr, bits, 0)),
    );
    const { answers: found } = await answers(files);
    expect(found.map(({ dtype }) => dtype)).toEqual(["float64", "float32", "float16", "float64", "float64"]);
    expect(found.map(({ sigma }) => sigma)).toEqual([1, 1, 1, 1, 1]);
  });

  it("takes Fortran order, csv, Matrix Market arrays and standard input alike", async () => {
    const fortran = npy({ descr: ">f4", shape: [1, 2], fortran: true, data: encode(">f4", [3, 4]) });
    const files = [
      put("f.npy", fortran),
      put("c.csv", "a;b\n3;4\n"),
      put("m.mtx", "%%MatrixMarket matrix array integer general\n1 2\n3\n4\n"),
      put("none", "3 4\n"),
      "-",
    ];
    const { status, answers: found } = await answers(files, {}, [
      fortran.subarray(0, 20),
      fortran.subarray(20),
    ]);
    expect(status).toBe(0);
    for (const { sigma } of found) expect(sigma).toBeCloseTo(5, 6);
    expect(found.map(({ file }) => file)).toEqual(files);
  });

  it("works on 10^6 × 10^6 with few entries, in a few passes over them", async () => {
    const large = put(
      "large.mtx",
      "%%MatrixMarket matrix coordinate real general\n1000000 1000000 2\n1 7 3\n1000000 9 -4\n",
    );
    const { answers: found } = await answers([large]);
    // Two rows are in use: the space is whole after two block steps.
    expect(found[0].passes).toBeLessThan(10);
    expect(found[0]).toMatchObject({ rows: 1e6, cols: 1e6, converged: true, tied: false });
    expect(found[0].sigma).toBeCloseTo(4, 13);
    expect(found[0].gap).toBeCloseTo(1, 2);
  });

  it("answers every matrix of a .npz file with its key, or the one that is named", async () => {
    const archive = put(
      "several.npz",
      zip([
        { name: "a.npy", content: diagonal("<f8", 2, 1), deflate: true },
        { name: "b/c.npy", content: diagonal("<f8", 7, 1) },
        { name: "bias.npy", content: npy({ descr: "<f8", shape: [2], data: new Uint8Array(16) }) },
        { name: "bad.npy", content: diagonal("<f8", 7, 1), crc: 1 },
        { name: "nan.npy", content: diagonal("<f8", 1, Number.NaN) },
        { name: "z.npy", content: diagonal("<f8", 9, 1) },
      ]),
    );
    const all = await answers([archive]);
    expect(all.status).toBe(2);
    expect(all.answers.map(({ key, sigma }) => [key, Math.round(sigma)])).toEqual([
      ["a", 2],
      ["b/c", 7],
      ["z", 9],
    ]);
    expect(Object.keys(all.answers[0]).slice(0, 3)).toEqual(["file", "key", "rows"]);
    expect(all.stderr.split("\n")).toEqual([
      `spectral-norm: ${archive}: "bad": is damaged: its checksum does not fit`,
      expect.stringMatching(/: "nan": .*row 1, column 1/),
      `spectral-norm: ${archive}: 1 array left out: a vector`,
      "",
    ]);
    const one = await answers([archive], { key: "z" });
    expect([one.status, one.stderr, one.answers.length]).toEqual([0, "", 1]);
    const none = await answers([archive], { key: "x" });
    expect([none.status, none.answers]).toEqual([2, []]);
    expect(none.stderr).toMatch(/^spectral-norm: .*has no key "x": it has a, b\/c, bias, bad, nan, z\n$/);
    const vector = await answers([archive], { key: "bias" });
    expect(vector.stderr).toMatch(/"bias": holds a vector of 2, not a matrix\n$/);
    expect((await answers([simple], { key: "z" })).stderr).toMatch(/"z" is for .npz and .mat files/);
  });

  it("says what a .npz file without a matrix holds instead", async () => {
    const vector = npy({ descr: "<f8", shape: [2], data: new Uint8Array(16) });
    const parts = ["data", "indices", "indptr", "format"].map((name) => ({
      name: `${name}.npy`,
      content: vector,
    }));
    const { status, stderr } = await answers([put("vectors.npz", zip(parts)), put("empty.npz", zip([]))]);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^[^\n]*holds no matrix: "data" is a vector of 2, [^\n]*\n[^\n]*holds no matrix\n$/,
    );
  });

  it("says which command reads a model, under any name that is not a matrix's", async () => {
    const data = encode("<f4", [1, 2, 3, 4]);
    const models: Record<string, Uint8Array> = {
      PyTorch: smallTorchFile([1, 2, 3, 4]),
      GGUF: gguf([{ name: "w", type: TYPE.F32, dims: [2, 2], data }]),
      ONNX: onnx(graph([], [tensor("w", "FLOAT", [2, 2], raw(data))])),
      safetensors: safetensors([{ name: "w", dtype: "F32", shape: [2, 2], data }]),
      "Keras or HDF5": hdf5({ links: {} }),
    };
    for (const [format, content] of Object.entries(models))
      for (const name of [`${format}.bin`, format]) {
        const { status, stderr } = await norm([put(name.replaceAll(" ", "-"), content)]);
        expect(status).toBe(2);
        expect(stderr).toContain(
          `: is a ${format} file and not a matrix; spectral-norm audit gives the norms of its weights\n`,
        );
      }
    // A matrix file that is damaged, or has another content than its extension says, keeps its own error.
    const { stderr } = await norm([put("model.npz", models["PyTorch"]), put("cut.npy", models["GGUF"])]);
    expect(stderr).not.toContain("audit");
  });

  it("gives each bad file one line and the others their answer", async () => {
    const hidden = put("hidden.npy", diagonal("<f8", 1, 2));
    chmodSync(hidden, 0);
    const bad = [
      broken,
      put("empty.npy", ""),
      put("nothing", ""),
      put("ragged.csv", "1,2\n3\n"),
      put("nan.csv", "1,2\n3,nan\n"),
      put("short.mtx", "%%MatrixMarket matrix coordinate real general\n2 2 3\n1 1 1\n2 2 2 \n"),
      put("huge.mtx", "%%MatrixMarket matrix array real general\n1000000000 1000000000\n1\n"),
      put("inf.npy", diagonal("<f4", 1, Number.POSITIVE_INFINITY)),
      put("half.npy", diagonal("<f2", 0x7c00, 1)),
      put("object.npy", npy({ descr: "|O", shape: [1, 1], data: new Uint8Array(8) })),
      put("complex.npy", npy({ descr: "<c8", shape: [1, 1], data: encode("<f4", [1, Number.NaN]) })),
      put("line\nend.csv", "x\ny\n"),
      put("es\u001bcape.csv", "1,\n,2\n"),
      join(folder, "missing.npy"),
      join(folder, "mis\n\rsing.npy"),
      folder,
      "",
    ];
    const { status, stderr, answers: found } = await answers([...bad.flatMap((file) => [file, simple])]);
    expect(status).toBe(2);
    expect(found).toHaveLength(bad.length);
    const lines = stderr.split("\n");
    expect(lines.pop()).toBe("");
    expect(lines).toHaveLength(bad.length);
    for (const line of lines) expect(line).toMatch(/^spectral-norm: [^\p{Cc}]*: [^\p{Cc}]+$/u);
    expect(lines[4]).toMatch(/nan\.csv: .*row 1, column 1/);
    expect(lines[7]).toMatch(/inf\.npy: .*row 1, column 1/);
    expect(lines[8]).toMatch(/half\.npy: .*row 0, column 0/);
    expect(lines[11]).toMatch(/line\\nend\.csv: /);
    expect(lines[13]).toMatch(/missing\.npy: no such file$/);
  });

  const isRoot = process.getuid?.() === 0;
  it.skipIf(isRoot)(`names a file that may not be read${isRoot ? " (skipped: root may)" : ""}`, async () => {
    const hidden = put("hidden.npy", "x");
    chmodSync(hidden, 0);
    expect((await norm([hidden])).stderr).toMatch(/permission denied\n$/);
  });

  it("ends with 1 if something did not converge, with 2 if something was bad as well", async () => {
    const numbers = Array.from({ length: 100 * 100 }, (_, k) => Math.sin(k * k));
    const slow = put("slow.npy", npy({ descr: "<f8", shape: [100, 100], data: encode("<f8", numbers) }));
    const options: NormFlags = { method: "power", maxIterations: 1 };
    const { status, answers: found } = await answers([slow, simple], options);
    expect(status).toBe(1);
    expect(found[0]).toMatchObject({ converged: false, method: "power", iterations: 1 });
    expect((await norm([slow, broken], options)).status).toBe(2);
    expect((await norm([slow], options)).stdout).toMatch(/not converged/);
  });

  it("writes null for what is not finite", async () => {
    const zero = put("zero.npy", diagonal("<f8", 0, 0));
    const { answers: found } = await answers([zero], { method: "power", maxIterations: 3 });
    expect(found[0]).toMatchObject({ gap: null, gradientError: null });
  });

  it("passes the options on", async () => {
    const numbers = Array.from({ length: 200 * 100 }, (_, k) => Math.sin(k * k));
    const file = put("options.npy", npy({ descr: "<f8", shape: [200, 100], data: encode("<f8", numbers) }));
    const exact = (await answers([file])).answers[0];
    const loose = (await answers([file], { rtol: 1e-2, seed: 5 })).answers[0];
    const dense = (await answers([file], { method: "dense" })).answers[0];
    expect(exact.method).toBe("lanczos");
    expect(dense).toMatchObject({ method: "dense", iterations: 0 });
    expect(loose.passes).toBeLessThan(exact.passes);
    expect(loose.sigma).toBeCloseTo(exact.sigma, 3);
    expect(dense.sigma).toBeCloseTo(exact.sigma, 10);
  });

  it("adds what is proven", async () => {
    const zero = put("zero-certify.npy", diagonal("<f8", 0, 0));
    const tied = put("tied-certify.npy", diagonal("<f4", 3, 3));
    const { status, answers: found } = await answers([simple, zero, tied], { certify: true });
    expect(status).toBe(0);
    const keys = "lower upper sigma2Upper gradientErrorBound proven".split(" ");
    for (const answer of found) {
      expect(Object.keys(answer).slice(-5)).toEqual(keys);
      expect(answer.proven).toBe(true);
    }
    expect(found[0].lower).toBeLessThanOrEqual(5);
    expect(found[0].upper).toBeGreaterThanOrEqual(5);
    expect(found[0].upper - found[0].lower).toBeLessThan(1e-13);
    expect(found[0].sigma2Upper).toBeGreaterThanOrEqual(3);
    expect(found[0].gradientErrorBound).toBeLessThan(1e-13);
    expect(found[1]).toMatchObject({ lower: 0, upper: 0, sigma2Upper: 0 });
    expect(found[2].gradientErrorBound).toBeGreaterThan(Math.SQRT2);
  });

  it("proves the norms of real matrices, of sparse ones too", async () => {
    const { status, answers: found } = await answers(
      ["well1033", "illc1033", "west0479"].map((name) => fixture(`${name}.mtx`)),
      { certify: true },
    );
    expect(status).toBe(0);
    const sigma = [1.8065110200065646, 2.144354511283515, 318951.75980514265];
    const second = [1.7678371616479138, 2.104230165766798, 317252.89983629173];
    found.forEach((answer, k) => {
      expect(answer.lower).toBeLessThanOrEqual(sigma[k] * (1 + 1e-14));
      expect(answer.upper).toBeGreaterThanOrEqual(sigma[k] * (1 - 1e-14));
      expect(answer.upper / answer.lower - 1).toBeLessThan(1e-10);
      expect(answer.sigma2Upper / second[k] - 1).toBeLessThan(1e-4);
      expect(answer.sigma2Upper).toBeGreaterThanOrEqual(second[k] * (1 - 1e-14));
      expect(answer.gradientErrorBound).toBeLessThan(1e-8);
    });
  });

  it("ends with status 1 where something could not be proven", async () => {
    // Its Gram matrix and one factorization would cost 4/3·n³ flops, more than is spent on a proof by default.
    const n = 3200;
    const numbers = Float64Array.from({ length: n * n }, (_, k) =>
      k % (n + 1) === 0 ? (k === 0 ? 2 : 1) : 0,
    );
    const large = put(
      "large.npy",
      npy({ descr: "<f8", shape: [n, n], data: new Uint8Array(numbers.buffer) }),
    );
    const { status, answers: found } = await answers([large], { certify: true, rtol: 1e-3 });
    expect(status).toBe(1);
    expect(found[0]).toMatchObject({ converged: true, proven: false });
    expect(found[0].upper).toBeGreaterThanOrEqual(2);
  });

  it("says for people what is proven, on lines of its own", async () => {
    const { status, stdout } = await norm([simple], { certify: true });
    expect(status).toBe(0);
    expect(stdout).toMatch(/Proven bounds\n─+\nfile +‖A‖₂ from +to .*\n─+\n\S+ +[45]\S* +5\S* +/);
    for (const line of stdout.split("\n")) expect(widthOf(line)).toBeLessThanOrEqual(80);
  });

  it("prints a table for people, with what they should know beside it", async () => {
    const archive = put(
      "table.npz",
      zip([
        { name: "tied.npy", content: diagonal("<f4", 3, 3) },
        { name: "v.npy", content: npy({ descr: "<f8", shape: [2], data: new Uint8Array(16) }) },
      ]),
    );
    const { status, stdout, stderr } = await norm([simple, archive]);
    expect([status, stderr]).toEqual([0, `spectral-norm: ${archive}: 1 array left out: a vector\n`]);
    const lines = stdout.split("\n");
    expect(lines[1]).toMatch(/^file +‖A‖₂ +size .*/);
    expect(lines[3]).toMatch(/simple\.npy +5(\.0+\d)? +3×3 +float64/);
    expect(lines[4]).toMatch(/table\.npz tied \(tied\) +3 +2×2 +float32/);
    expect(stdout).toMatch(/tied: σ₁ = σ₂/);
    expect(lines[3].indexOf("3×3")).toBe(lines[4].indexOf("2×2"));
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(80);
  });

  it("counts what it leaves out by reason, and names it if asked", async () => {
    const member = (name: string, shape: number[]) => ({
      name: `${name}.npy`,
      content: npy({ descr: "<f8", shape, data: new Uint8Array(8 * shape.reduce((a, b) => a * b, 1)) }),
    });
    const archive = put(
      "left-out.npz",
      zip([
        ...[member("a", [2]), member("b", [3]), member("c", []), member("d", [2, 2, 2]), member("m", [1, 1])],
        { name: "notes.txt", content: new Uint8Array(3) },
      ]),
    );
    const reasons = ["2 arrays left out: a vector", "1 array left out: a scalar"];
    const more = ["1 array left out: an array of 3 axes", "1 array left out: not a .npy file"];
    const said = [...reasons, ...more].map((line) => `spectral-norm: ${archive}: ${line}\n`).join("");
    for (const json of [false, true]) expect((await norm([archive], { json })).stderr).toBe(said);
    expect((await norm([archive])).stdout).not.toMatch(/vector/);
    expect((await norm([archive], { leftOut: true })).stdout).toMatch(/ b: a vector of 3\n/);
    const { answers: all } = await answers([archive], { leftOut: true });
    expect(all.slice(1)[1]).toEqual({ file: archive, key: "b", leftOut: "a vector of 3" });
    expect(all).toHaveLength(6);
  });

  it("shows on a terminal what it is at, and takes it back before each line", async () => {
    const written: string[] = [];
    const status = await runNorm(
      [simple, broken],
      { json: true },
      {
        stdin: (async function* () {})(),
        stdout: { write: (text) => written.push(text) },
        stderr: { write: (text) => written.push(text) },
        progress: {
          show: (_, label, done, total) => written.push(`show ${label} ${done}/${total}`),
          clear: () => written.push("clear"),
          end: () => written.push("end"),
        },
      },
    );
    expect(status).toBe(2);
    expect(written.slice(0, 2)).toEqual([`show ${simple} 0/2`, "clear"]);
    expect(written[2]).toMatch(/^\{/);
    expect(written.at(-3)).toBe("clear");
    expect(written.at(-2)).toMatch(/^spectral-norm: /);
    expect(written.at(-1)).toBe("end");
  });
});

describe("complex matrices", () => {
  const [m, n] = [90, 70];
  const parts = Array.from({ length: 2 * m * n }, (_, k) => Math.fround(Math.sin(k * k)));
  const entry = (i: number, j: number) => parts.slice(2 * (i * n + j), 2 * (i * n + j) + 2);
  const entries = Array.from({ length: m }, (_, i) =>
    Array.from({ length: n }, (_, j): [number, number] => [entry(i, j)[0], entry(i, j)[1]]),
  );
  const sigma = normByRealForm(entries);
  const columns = Array.from({ length: n }, (_, j) =>
    Array.from({ length: m }, (_, i) => entry(i, j)),
  ).flat();
  const i4 = (...numbers: number[]) => encode(">i4", numbers);
  const arrayOf = (
    descr: string,
    fortran = false,
    values: readonly number[] = fortran ? columns.flat() : parts,
  ) =>
    npy({
      descr,
      shape: [m, n],
      fortran,
      data: encode(descr.replace("c16", "f8").replace("c8", "f4"), values),
    });
  const files: [string, string, string][] = [
    ...["<c8", "<c16", ">c8", ">c16"].flatMap((descr) =>
      [false, true].map((fortran): [string, string, string] => {
        const name = `${descr[0] === "<" ? "" : "swapped-"}${descr.slice(1)}${fortran ? "-fortran" : ""}.npy`;
        return [name, put(name, arrayOf(descr, fortran)), descr.endsWith("16") ? "complex128" : "complex64"];
      }),
    ),
    [
      "array.mtx",
      put(
        "complex-array.mtx",
        `%%MatrixMarket matrix array complex general\n${m} ${n}\n${columns.map((z) => `${z.join(" ")}\n`).join("")}`,
      ),
      "complex128",
    ],
    [
      "coordinate.mtx",
      put(
        "complex-coordinate.mtx",
        `%%MatrixMarket matrix coordinate complex general\n${m} ${n} ${m * n}\n${columns
          .map((z, k) => `${(k % m) + 1} ${Math.floor(k / m) + 1} ${z.join(" ")}\n`)
          .join("")}`,
      ),
      "complex128",
    ],
    ["petsc", put("complex.petsc", joined(i4(1211216, m, n, -1), encode(">f8", parts))), "complex128"],
  ];
  const double = put("complex-double.npy", arrayOf("<c16"));

  it.each(files)("in %s have their norm, with all fields", async (_, file, dtype) => {
    const { status, stderr, answers: found } = await answers([file]);
    expect([status, stderr]).toEqual([0, ""]);
    const keys =
      "file rows cols dtype method sigma residual gap gradientError iterations passes converged tied".split(
        " ",
      );
    expect(Object.keys(found[0])).toEqual(keys);
    expect(found[0]).toMatchObject({ file, rows: m, cols: n, dtype, converged: true, tied: false });
    const unit = dtype === "complex64" ? 2 ** -24 : 2 ** -53;
    expect(Math.abs(found[0].sigma / sigma - 1)).toBeLessThan(16 * unit);
    // The largest error of u·vᴴ that is likely: the type's rounding over the relative gap.
    expect(found[0].gradientError).toBeLessThan((1e3 * unit * sigma) / found[0].gap);
  });

  it("stay in the file if they take more than --memory", async () => {
    for (const [name, file, dtype] of files.filter(([name]) => !name.endsWith(".mtx"))) {
      const { status, answers: found } = await answers([file], { memory: 1000 });
      expect([status, found[0].dtype, found[0].rows, found[0].cols], name).toEqual([0, dtype, m, n]);
      expect(Math.abs(found[0].sigma / sigma - 1)).toBeLessThan(dtype === "complex64" ? 1e-6 : 1e-14);
    }
    const bad = (fortran: boolean) => {
      const values = [...(fortran ? columns.flat() : parts)];
      values[2 * (fortran ? 5 + m * 7 : 5 * n + 7) + 1] = Number.NaN;
      return put(`complex-nan${fortran}.npy`, arrayOf("<c16", fortran, values));
    };
    for (const file of [bad(false), bad(true)])
      for (const options of [{}, { memory: 1000 }]) {
        const { status, stderr } = await answers([file], options);
        expect(status).toBe(2);
        expect(stderr).toMatch(/^spectral-norm: [^\n]*imaginary part in row 5, column 7 is [^\n]*\n$/);
      }
  });

  it("take --method and --rtol", async () => {
    for (const method of ["dense", "lanczos", "power"] as const) {
      const { status, answers: found } = await answers([double], { method });
      expect([method, status, found[0].method]).toEqual([method, 0, method]);
      expect(Math.abs(found[0].sigma / sigma - 1)).toBeLessThan(method === "power" ? 1e-4 : 1e-14);
    }
    const exact = (await answers([double])).answers[0];
    const loose = (await answers([double], { rtol: 0.1 })).answers[0];
    expect(loose.passes).toBeLessThan(exact.passes);
    expect(Math.abs(loose.sigma / sigma - 1)).toBeLessThan(0.1);
  });

  it("stand in an archive beside real ones, and in the table", async () => {
    const archive = put(
      "complex.npz",
      zip([
        { name: "c.npy", content: arrayOf("<c8"), deflate: true },
        { name: "r.npy", content: diagonal("<f8", 2, 1) },
        { name: "v.npy", content: npy({ descr: "<c8", shape: [2], data: new Uint8Array(16) }) },
      ]),
    );
    const { status, stdout, stderr } = await norm([archive]);
    expect([status, stderr]).toEqual([0, `spectral-norm: ${archive}: 1 array left out: a vector\n`]);
    expect(stdout).toMatch(new RegExp(`complex\\.npz c +${String(sigma).slice(0, 6)}\\d* +90×70 +complex64`));
    const { answers: found } = await answers([archive], { key: "c" });
    expect(found.map(({ key, dtype }) => [key, dtype])).toEqual([["c", "complex64"]]);
  });

  it("have proven bounds, dense and sparse", async () => {
    const { status, answers: found } = await answers(
      files.map(([, file]) => file),
      { certify: true },
    );
    expect(status).toBe(0);
    for (const answer of found) {
      expect(Object.keys(answer).slice(-5)).toEqual(
        "lower upper sigma2Upper gradientErrorBound proven".split(" "),
      );
      expect(answer.proven).toBe(true);
      // ml-matrix's own rounding.
      expect(answer.lower).toBeLessThanOrEqual(sigma * (1 + 1e-14));
      expect(answer.upper).toBeGreaterThanOrEqual(sigma * (1 - 1e-14));
      expect(answer.upper / answer.lower - 1).toBeLessThan(1e-6);
      expect(answer.sigma2Upper).toBeLessThan(answer.lower);
      expect(answer.gradientErrorBound).toBeLessThan(answer.dtype === "complex64" ? 1e-3 : 1e-10);
    }
    const streamed = await answers([double], { certify: true, memory: 1000 });
    expect([streamed.status, streamed.answers[0].proven]).toEqual([1, false]);
    expect((await norm([double], { certify: true })).stdout).toMatch(/Proven bounds/);
  });

  it("are shown with as many digits as their type has", async () => {
    const { stdout } = await norm([double]);
    expect(stdout).toContain(sigma.toPrecision(15).slice(0, 14));
  });
});

describe("csv files", () => {
  const file = (text: string, name = "table.csv") => put(name, text);

  it("are read as the options say", async () => {
    const german = file("name;a;b\nx;0,5;0\ny;0;2,5\n");
    const options: NormFlags = { delimiter: ";", decimal: ",", header: "yes", index: "yes" };
    const { status, stderr, answers: found } = await answers([german], options);
    expect([status, stderr, found[0].rows, found[0].cols]).toEqual([0, "", 2, 2]);
    expect(found[0].sigma).toBeCloseTo(2.5, 14);
  });

  it("say on standard error what was taken, and cost exit status 2 where that cannot be told", async () => {
    const said = await answers([file(",a,b\nx,3,0\ny,0,4\n")]);
    expect(said.answers[0].sigma).toBeCloseTo(4, 14);
    expect([said.status, said.stderr.split("\n").length]).toEqual([0, 2]);
    expect(said.stderr).toMatch(
      /^spectral-norm: .*table\.csv: taken for 2×2: the first row is a header; .*row names/,
    );
    for (const [text, option] of [
      ["0,5;0,5\n1;2\n", "--decimal ,"],
      ["NA,NA\n1,2\n", "--header"],
      ["?,?\n1,2\n", "--header"],
      ['"1,000","2,000"\n1,2\n', "--decimal ,"],
      ["50%,50%\n1,2\n", "--header"],
      ["1+2j,3\n1,2\n", "--header"],
      ["−1,−2\n1,2\n", "--header"],
      ["0,1\n5,6\n", "--header"],
      ["x,1\ny,2\n", "--index"],
    ]) {
      const { status, stderr, answers: found } = await answers([file(text)]);
      expect([status, found.length, stderr.split("\n").length], text).toEqual([2, 0, 2]);
      expect(stderr, text).toContain(option);
    }
  });

  it("are what the options are for", async () => {
    const { status, stderr } = await answers([simple], { header: "yes" });
    expect([status, stderr]).toEqual([
      2,
      "spectral-norm: --header: applies to .csv files, and none is given\n",
    ]);
    expect((await answers([simple, file("1,2\n")], { header: "no" })).status).toBe(0);
    expect((await answers([simple], { delimiter: ",", decimal: "," })).stderr).toMatch(/--decimal/);
    for (const [text, delimiter] of [
      ["tab", "\t"],
      ["\\t", "\t"],
      ["comma", ","],
      ["|", "|"],
    ])
      expect(delimiterOf(text)).toBe(delimiter);
    for (const text of ["", "a", "1", "-", '"', "#", ",,", "\n", "é"])
      expect(() => delimiterOf(text), text).toThrow();
  });
});

describe("norm of files compressed with gzip", () => {
  const mtx = "%%MatrixMarket matrix coordinate real general\n3 3 3\n1 1 3\n2 2 -5\n3 3 1\n";
  const sigmas = ({ answers }: { answers: readonly { sigma: number }[] }) =>
    answers.map(({ sigma }) => sigma);

  it("is that of what is in them, by name and by content, also from standard input", async () => {
    const files = [
      put("a.mtx.gz", gzipSync(mtx)),
      put("b.csv.gz", gzipSync("3,0\n0,-5\n")),
      put("c.npy.gz", gzipSync(diagonal("<f8", 3, -5, 1))),
      put("d.csv.gz", "3,0\n0,-5\n"),
      put("e", gzipSync(mtx)),
      put("f.npz.gz", gzipSync(zip([{ name: "a.npy", content: diagonal("<f4", -5, 2), deflate: true }]))),
    ];
    const found = await answers([...files, "-"], {}, [gzipSync(mtx)]);
    expect([found.status, found.stderr]).toEqual([0, ""]);
    expect(sigmas(found)).toEqual(new Array(7).fill(expect.closeTo(5, 12)));
    expect((await answers([files[1]], { decimal: "." })).status).toBe(0);
    expect((await answers([files[5]], { key: "a" })).answers[0].key).toBe("a");
  });

  it("is refused where they are damaged or unpack to too much", async () => {
    const packed = gzipSync(mtx);
    packed[packed.length - 8] ^= 1;
    const files = [put("crc.mtx.gz", packed), put("twice.mtx.gz", gzipSync(gzipSync(mtx)))];
    const { status, stderr } = await norm(files);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^[^\n]*crc.mtx.gz: is damaged: the CRC-32 [^\n]*\n[^\n]*compressed with gzip; unpack it first\n$/,
    );
    const bomb = put("bomb.csv.gz", gzipSync(`1,${" ".repeat(3e6)}2\n`));
    expect((await norm([bomb], { memory: 1e6 })).stderr).toMatch(/more than 1000000 bytes/);
    expect((await answers([bomb])).status).toBe(0);
  });
});

describe("norm of MATLAB and SciPy files", () => {
  it("reads MATLAB 7.3 files, whole or a few columns at a time", async () => {
    const values = Array.from({ length: 200 }, (_, k) => Math.sin(k * k));
    const how = { chunk: [3, 7], filters: [1] };
    const file = put(
      "seven.mat",
      matlab73(
        { A: full73("double", [20, 10], values, how), c: cell73([1, 1], ["/#refs#/a"]) },
        {
          a: full73("double", [20, 10], values),
        },
      ),
    );
    const { norm2 } = new SingularValueDecomposition(Matrix.from1DArray(10, 20, values), {
      autoTranspose: true,
    });
    for (const memory of [undefined, 1000]) {
      const { status, answers: found } = await answers([file], { memory });
      expect(status).toBe(0);
      expect(found.map(({ key }) => key)).toEqual(["A", "c{1}"]);
      for (const { sigma } of found) expect(sigma).toBeCloseTo(norm2, 12);
    }
  });

  const writer = new MatlabWriter();
  const mat = put(
    "model.mat",
    writer.file(
      writer.compressed(writer.full("A", "double", [2, 2], [3, 0, 0, -5])),
      writer.struct("s", [1, 1], ["B"], [writer.full("", "single", [1, 2], [3, 4])]),
      writer.full("z", "double", [1, 1], [3], { imaginary: [4] }),
      writer.full("three", "double", [1, 1, 2], [1, 2]),
      writer.full("bad", "double", [2, 2], [1]),
    ),
  );
  const vectorOf = (...of: number[]) => npy({ descr: "<i4", shape: [of.length], data: encode("<i4", of) });
  const sparse = put(
    "sparse.npz",
    zip([
      {
        name: "format.npy",
        content: npy({ descr: "|S3", shape: [], data: new TextEncoder().encode("coo") }),
      },
      { name: "shape.npy", content: vectorOf(70_000, 90_000) },
      { name: "row.npy", content: vectorOf(69_999, 69_999) },
      { name: "col.npy", content: vectorOf(1, 89_999) },
      { name: "data.npy", content: vectorOf(3, 4), deflate: true },
    ]),
  );

  it("has a line for each matrix, by name, and one for what cannot be read", async () => {
    const { status, stderr, answers: found } = await answers([mat, sparse], { certify: true });
    expect(status).toBe(2);
    expect(stderr).toBe(
      `spectral-norm: ${mat}: "bad": its header promises 2×2 float64, 32 bytes; the file holds 8\n` +
        `spectral-norm: ${mat}: 1 array left out: an array of 3 axes\n`,
    );
    expect(found.map(({ key, rows, cols, dtype }) => [key, rows, cols, dtype])).toEqual([
      ["A", 2, 2, "float64"],
      ["s.B", 1, 2, "float32"],
      ["z", 1, 1, "complex128"],
      [undefined, 70_000, 90_000, "float64"],
    ]);
    for (const { sigma, lower, upper, proven } of found) {
      expect(sigma).toBeCloseTo(5, 5);
      expect([lower <= 5, upper >= 5, proven]).toEqual([true, true, true]);
    }
    expect((await answers([mat], { key: "s.B" })).answers.map(({ key }) => key)).toEqual(["s.B"]);
    expect((await norm([mat], { key: "A" })).stdout).toMatch(/A/);
  });
});

describe("norm's command line", () => {
  const parse = (...argv: string[]) => {
    const program = new Command("spectral-norm").exitOverride().configureOutput({ writeErr: () => {} });
    registerNorm(program);
    return program.parseAsync(["norm", ...argv], { from: "user" });
  };

  it("refuses bad usage", async () => {
    for (const argv of [
      [],
      [simple, "--rtol", "abc"],
      [simple, "--rtol", "-1"],
      [simple, "--rtol", ""],
      [simple, "--rtol", "Infinity"],
      [simple, "--method", "magic"],
      [simple, "--max-iterations", "0"],
      [simple, "--seed", "1.5"],
      [simple, "--unknown"],
      [simple, "--key"],
      [simple, "--header", "maybe"],
      [simple, "--index"],
      [simple, "--decimal", ";"],
      [simple, "--delimiter", "ab"],
    ]) {
      await expect(parse(...argv), argv.join(" ")).rejects.toThrow(CommanderError);
    }
  });

  it("says once what is wrong with an option that only the solver can judge", async () => {
    const { status, stderr, stdout } = await norm([simple, simple], { rtol: Number.NaN });
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^spectral-norm: [^\n]*rtol[^\n]*\n$/);
  });
});

describe("--memory", () => {
  const size = [90, 70] as const;
  const numbers = Array.from({ length: size[0] * size[1] }, (_, k) => Math.sin(k * k));
  const matrixOf = (descr: string, fortran: boolean, values: readonly number[] = numbers) =>
    npy({ descr, shape: size, fortran, data: encode(descr, values) });

  it.each(["<f8", "<f4", ">f8", ">f4", "<i4"])(
    "streams %s of either order from a file, to the same answer",
    async (descr) => {
      const values = descr.endsWith("i4") ? numbers.map((x) => Math.round(100 * x)) : numbers;
      for (const fortran of [false, true]) {
        const path = put("streamed.npy", matrixOf(descr, fortran, values));
        const archive = put(
          "streamed.npz",
          zip([{ name: "w.npy", content: matrixOf(descr, fortran, values) }]),
        );
        const { answers: whole } = await answers([path, archive]);
        const { status, stderr, answers: streamed } = await answers([path, archive], { memory: 1000 });
        expect([status, stderr]).toEqual([0, ""]);
        streamed.forEach((answer, k) => {
          expect(answer).toMatchObject({ rows: 90, cols: 70, dtype: whole[k].dtype, converged: true });
          const unit = answer.dtype === "float32" ? 1e-6 : 1e-13;
          expect(Math.abs(answer.sigma / whole[k].sigma - 1)).toBeLessThan(unit);
        });
      }
    },
  );

  it("says where a NaN is in the matrix, and refuses what is compressed", async () => {
    const bad = numbers.map((x, k) => (k === 5 + 90 * 7 ? Number.NaN : x));
    const path = put("nan.npy", matrixOf("<f8", true, bad));
    const { status, stderr } = await answers([path], { memory: 1000 });
    expect([status, stderr]).toEqual([
      2,
      `spectral-norm: ${path}: matrix: row 5, column 7 is NaN (counted from 0)\n`,
    ]);
    const packed = put(
      "packed.npz",
      zip([{ name: "w.npy", content: matrixOf("<f8", false), deflate: true }]),
    );
    const refused = await answers([packed], { memory: 1000 });
    expect(refused.stderr).toMatch(/"w": is compressed, and its \d+ bytes are more than the memory allowed/);
  });

  it("proves nothing of what is not in memory, and says so", async () => {
    const path = put("unproven.npy", matrixOf("<f8", false));
    const { status, answers: found } = await answers([path], { memory: 1000, certify: true });
    expect(status).toBe(1);
    expect(found[0]).toMatchObject({ lower: 0, upper: null, proven: false });
    expect((await norm([path], { memory: 1000, certify: true })).stdout).toMatch(
      /not proven: .* larger than --memory/,
    );
  });
});
