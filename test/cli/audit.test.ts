import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { csvRow } from "../../src/cli/audit-csv.js";
import { answers, auditOf, linesOf } from "../audit/models.js";
import { normByRealForm } from "../files/expand.js";
import { floats, type SafetensorsPart, safetensors, text } from "../files/models.js";
import { encode, npy, zip } from "../files/writers.js";
import { command, runCommand } from "./run-command.js";

const folder = mkdtempSync(join(tmpdir(), "audit-"));
afterAll(() => rmSync(folder, { recursive: true }));

function put(name: string, content: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** What is said of `model`'s tensors that are no matrices. */
const leftOutSaid = () =>
  ["a vector", "an embedding table, by its name", 'dtype "I64" is none of F64, F32, F16, BF16, C64, F8, F4']
    .map((reason) => `spectral-norm: ${model}: 1 tensor left out: ${reason}\n`)
    .join("");
const diagonal = (...values: number[]) =>
  values.flatMap((value, i) => values.map((_, j) => (i === j ? value : 0)));
const part = (name: string, numbers: readonly number[], shape: readonly number[]): SafetensorsPart => ({
  name,
  dtype: "F64",
  shape,
  data: floats("F64", numbers),
});
const model = put(
  "model.safetensors",
  safetensors([
    part("first.weight", diagonal(3, -5, 1), [3, 3]),
    part("first.bias", [1, 2, 3], [3]),
    part("conv.weight", [3, 0, 0, 0, 0, 4, 0, 0], [2, 2, 2, 1]),
    part("embed_tokens.weight", [1, 1, 1, 1], [2, 2]),
    { name: "ids", dtype: "I64", shape: [1, 2], data: new Uint8Array(16) },
    part("last.weight", diagonal(7, 7), [2, 2]),
  ]),
);
const poisoned = put(
  "poisoned.safetensors",
  safetensors([
    part("w", [1, 2, 3, 4, Number.NaN, 6], [2, 3]),
    part("v", [1, Number.NEGATIVE_INFINITY], [1, 2]),
    part("good", [3, 4], [1, 2]),
  ]),
);

describe("audit", () => {
  it("answers with the fields that are promised", async () => {
    const { status, stderr, lines } = await answers([model]);
    expect([status, stderr]).toEqual([0, leftOutSaid()]);
    expect(lines.map(({ tensor }) => tensor)).toEqual(["first.weight", "conv.weight", "last.weight"]);
    const promised = "file tensor shape rows cols dtype sigma frobenius stableRank converged".split(" ");
    const more = "residual gradientError tied passes".split(" ");
    for (const line of lines) expect(Object.keys(line)).toEqual([...promised, ...more]);
    const [first, conv, last] = lines;
    expect(first).toMatchObject({
      file: model,
      shape: [3, 3],
      rows: 3,
      cols: 3,
      dtype: "float64",
      converged: true,
    });
    expect(first.sigma).toBeCloseTo(5, 13);
    expect(first.frobenius).toBeCloseTo(Math.sqrt(35), 13);
    expect(first.stableRank).toBeCloseTo(35 / 25, 13);
    expect(conv).toMatchObject({ shape: [2, 2, 2, 1], rows: 2, cols: 4 });
    expect(conv.sigma).toBeCloseTo(4, 13);
    expect(last).toMatchObject({ tied: true });
  });

  it("adds the certificate's fields", async () => {
    const { status, lines } = await answers([model], { certify: true });
    expect(status).toBe(0);
    const proof = "lower upper sigma2Upper gradientErrorBound proven".split(" ");
    for (const line of lines) {
      expect(Object.keys(line).slice(-5)).toEqual(proof);
      expect(line.lower as number).toBeLessThanOrEqual(line.sigma);
      expect(line.upper as number).toBeGreaterThanOrEqual(line.sigma);
      expect(line.proven).toBe(true);
    }
  });

  it("counts what it leaves out by reason and, if asked, names it", async () => {
    for (const flags of [{}, { json: true }, { csv: true }])
      expect((await auditOf([model], flags)).stderr).toBe(leftOutSaid());
    const { stdout } = await auditOf([model]);
    expect(stdout).toMatch(/model\.safetensors: 3 matrices\n─/);
    expect(stdout).toMatch(/last\.weight \(tied\)/);
    expect(stdout).not.toMatch(/bias|embed/);
    expect((await auditOf([model], { leftOut: true })).stdout).toMatch(
      /Left out of \S+:\n {2}a vector \(1\):\n {4}first\.bias \[3\]\n {2}an embedding table, by its name \(1\):\n {4}embed_tokens\.weight \[2×2\]\n {2}dtype "I64" is none of F64, F32, F16, BF16, C64, F8, F4 \(1\):\n {4}ids \[1×2\]\n/,
    );
    const all = linesOf((await auditOf([model], { json: true, leftOut: true })).stdout);
    expect(all.length).toBe(6);
    expect(all[1]).toEqual({
      file: model,
      tensor: "first.bias",
      shape: [3],
      dtype: "float64",
      leftOut: "is a vector",
    });
    expect((await answers([model], { embeddings: true })).lines.length).toBe(4);
  });

  it("writes comma-separated values that quote what has to be", async () => {
    const named = put("names.safetensors", safetensors([part('a,"b"', [3, 4], [1, 2])]));
    const { stdout } = await auditOf([named], { csv: true, certify: true });
    const [head, row, end] = stdout.split("\r\n");
    expect(head.split(",").slice(0, 10).join(" ")).toBe(
      "file tensor shape rows cols dtype sigma frobenius stableRank converged",
    );
    expect(row.startsWith(`${named},"a,""b""",1x2,1,2,float64,5,5,1,true,`)).toBe(true);
    expect(row.split(",").length).toBe(head.split(",").length + 1);
    expect(end).toBe("");
  });

  it("sorts, in every form", async () => {
    const by = async (sort: "sigma" | "name" | "rank" | "size" | "frobenius") =>
      (await answers([model], { sort })).lines.map(({ tensor }) => tensor.split(".")[0]);
    expect(await by("sigma")).toEqual(["last", "first", "conv"]);
    expect(await by("name")).toEqual(["conv", "first", "last"]);
    expect(await by("size")).toEqual(["first", "conv", "last"]);
    expect(await by("rank")).toEqual(["last", "conv", "first"]);
  });

  it("says where a number is NaN or infinite, and does the rest", async () => {
    const { status, stderr, lines } = await answers([poisoned, model]);
    expect(status).toBe(2);
    expect(stderr.replace(leftOutSaid(), "").split("\n")).toEqual([
      `spectral-norm: ${poisoned}: "w": row 1, column 1 of 2×3 is NaN (counted from 0)`,
      `spectral-norm: ${poisoned}: "v": row 0, column 1 of 1×2 is -Infinity (counted from 0)`,
      "",
    ]);
    expect(lines.map(({ tensor }) => tensor)).toEqual(["good", "first.weight", "conv.weight", "last.weight"]);
  });

  it("says it in the places of the matrix where numbers lie in Fortran's order, or transposed", async () => {
    // [h, w, in, out] = [2, 1, 2, 3]: the number at [1, 0, 1, 2] is in row 3, column 2.
    const shape = [2, 1, 2, 3];
    const numbers = Array.from({ length: 12 }, (_, k) => k);
    const fortran = [...numbers];
    fortran[1 + 2 * (0 + 1 * (1 + 2 * 2))] = Number.NaN;
    const c = [...numbers];
    c[2 + 3 * (1 + 2 * (0 + 1 * 1))] = Number.NaN;
    const content = (data: readonly number[], order: boolean) =>
      npy({ descr: "<f8", shape, fortran: order, data: encode("<f8", data) });
    const path = put(
      "places.npz",
      zip([
        { name: "f.npy", content: content(fortran, true) },
        { name: "c.npy", content: content(c, false) },
      ]),
    );
    const { status, stderr } = await answers([path]);
    expect(status).toBe(2);
    for (const name of ["f", "c"]) expect(stderr).toContain(`"${name}": row 3, column 2 of 4×3 is NaN`);
  });

  describe("of complex tensors", () => {
    const numbers = Array.from({ length: 2 * 2 * 3 * 4 }, (_, k) => Math.fround(Math.sin(k * k)));
    const shape = [2, 3, 2, 2];
    const single = put(
      "complex.safetensors",
      safetensors([
        { name: "conv.weight", dtype: "C64", shape, data: encode("<f4", numbers) },
        { name: "bias", dtype: "C64", shape: [2], data: new Uint8Array(16) },
        part("real.weight", [3, 4], [1, 2]),
      ]),
    );
    const arrays = put(
      "complex.npz",
      zip(
        ["<f4", "<f8", ">f8"].flatMap((descr) =>
          [false, true].map((fortran) => ({
            name: `${descr.slice(1)}${descr[0] === "<" ? "" : "-swapped"}${fortran ? "-fortran" : ""}.npy`,
            content: npy({
              descr: descr.replace("f4", "c8").replace("f8", "c16"),
              shape: [4, 6],
              fortran,
              data: encode(descr, numbers),
            }),
          })),
        ),
      ),
    );
    const entries = (m: number, n: number, at: (i: number, j: number) => number) =>
      Array.from({ length: m }, (_, i) =>
        Array.from({ length: n }, (_, j): [number, number] => {
          const k = 2 * at(i, j);
          return [numbers[k], numbers[k + 1]];
        }),
      );
    const frobenius = Math.hypot(...numbers);

    it("gives σ and the other fields as of real ones, in memory and from the file", async () => {
      // [out, in, h, w] becomes out×(in·h·w), which is how the numbers lie.
      const sigma = normByRealForm(entries(2, 12, (i, j) => 12 * i + j));
      for (const flags of [{}, { memory: 100 }, { rtol: 1e-3 }]) {
        const { status, lines } = await answers([single], flags);
        expect(status).toBe(0);
        expect(lines.map(({ tensor }) => tensor)).toEqual(["conv.weight", "real.weight"]);
        expect(lines[0]).toMatchObject({ dtype: "complex64", shape, rows: 2, cols: 12, converged: true });
        expect(Math.abs(lines[0].sigma / sigma - 1)).toBeLessThan("rtol" in flags ? 1e-3 : 1e-6);
        expect(Math.abs(lines[0].frobenius / frobenius - 1)).toBeLessThan(1e-12);
        expect(lines[0].stableRank).toBeCloseTo((frobenius / sigma) ** 2, "rtol" in flags ? 2 : 5);
      }
    });

    it("knows .npz files, in either byte order and Fortran's order", async () => {
      const { lines } = await answers([arrays], { top: 2 });
      expect(lines.map(({ dtype }) => dtype)).toEqual([
        ...["complex64", "complex64", "complex128", "complex128", "complex128", "complex128"],
      ]);
      lines.forEach(({ dtype, sigma, singularValues }, k) => {
        const found = normByRealForm(entries(4, 6, (i, j) => (k % 2 === 0 ? 6 * i + j : i + 4 * j)));
        const bound = dtype === "complex64" ? 1e-6 : 1e-14;
        expect(Math.abs(sigma / found - 1)).toBeLessThan(bound);
        expect(singularValues?.length).toBe(2);
        expect(Math.abs((singularValues?.[0] ?? 0) / found - 1)).toBeLessThan(bound);
      });
    });

    it("proves bounds", async () => {
      const { status, lines } = await answers([single, arrays], { certify: true });
      expect(status).toBe(0);
      for (const { sigma, lower = 0, upper, proven } of lines) {
        expect(proven).toBe(true);
        expect(lower).toBeLessThanOrEqual(upper ?? 0);
        expect(Math.abs(lower / sigma - 1)).toBeLessThan(1e-6);
        expect(Math.abs((upper ?? 0) / sigma - 1)).toBeLessThan(1e-6);
      }
    });

    it("names the entry that is not finite, and refuses to take kernels for convolutions", async () => {
      const bad = numbers.slice();
      bad[2 * 17 + 1] = Number.NaN;
      const path = put(
        "poisoned-complex.safetensors",
        safetensors([{ name: "w", dtype: "C64", shape, data: encode("<f4", bad) }]),
      );
      for (const flags of [{}, { memory: 100 }])
        expect((await answers([path], flags)).stderr).toMatch(
          /"w": row 1, column 5 of 2×12 is (NaN|not finite)/,
        );
      const { status, stderr } = await answers([single], { conv: "operator", input: [4, 4] });
      expect(status).toBe(2);
      expect(stderr).toMatch(/"conv.weight": is complex64, .* without --conv operator/);
    });
  });

  it("gives the norm of Fortran's order and of the other layout", async () => {
    const numbers = [3, 0, 0, 0, 4, 1];
    const path = put(
      "orders.npz",
      zip([
        {
          name: "f.npy",
          content: npy({ descr: "<f8", shape: [3, 2], fortran: true, data: encode("<f8", numbers) }),
        },
        { name: "c.npy", content: npy({ descr: "<f8", shape: [2, 3], data: encode("<f8", numbers) }) },
      ]),
    );
    const { lines } = await answers([path]);
    expect(lines.map(({ rows, cols }) => [rows, cols])).toEqual([
      [3, 2],
      [2, 3],
    ]);
    expect(lines[0].sigma).toBeCloseTo(lines[1].sigma, 14);
    const turned = await answers([model], { layout: "tensorflow" });
    expect(turned.lines[1]).toMatchObject({ rows: 8, cols: 1 });
  });

  it("costs a bad model its own line, and a damaged tensor its own", async () => {
    const missing = join(folder, "missing.safetensors");
    const strange = put("strange.bin", text("hello, world"));
    const empty = put("empty.npz", new Uint8Array(0));
    const vectors = put("vectors.safetensors", safetensors([part("bias", [1], [1])]));
    const cut = put(
      "cut.safetensors",
      safetensors([part("whole", [3, 4], [1, 2]), part("torn", [3, 4], [1, 2])]).subarray(0, -1),
    );
    const { status, stderr, lines } = await answers([missing, strange, empty, vectors, cut, model]);
    expect(status).toBe(2);
    const said = stderr.split("\n");
    expect(said.length).toBe(6 + 4);
    [
      `${missing}: no such file`,
      `${strange}: is none of`,
      `${empty}: is empty`,
      `${vectors}: holds no weight matrix: "bias" is a vector`,
      `${cut}: "torn": ends at byte`,
    ].forEach((why, i) => {
      expect(said[i].startsWith(`spectral-norm: ${why}`)).toBe(true);
    });
    expect(lines.length).toBe(4);
  });

  it("ends with 1 where something did not converge or could not be proven", async () => {
    const flat = Float64Array.from({ length: 200 * 200 }, (_, k) => Math.sin(k * k));
    const close = put(
      "close.safetensors",
      safetensors([{ ...part("w", [], [200, 200]), data: floats("F64", flat) }]),
    );
    expect((await answers([close], { memory: 1000, certify: true })).status).toBe(1);
    const { lines } = await answers([close], { memory: 1000, certify: true });
    expect(lines[0]).toMatchObject({ lower: 0, upper: null, proven: false, converged: true });
    expect((await answers([close, poisoned], { memory: 1000, certify: true })).status).toBe(2);
    expect((await answers([close], { certify: true, maxCost: 1e5 })).status).toBe(1);
    expect((await answers([close], { certify: true, maxCost: 1e9 })).status).toBe(0);
    const { stdout } = await auditOf([close], { memory: 1000, certify: true });
    expect(stdout).toMatch(/w \(not proven\)/);
    expect(stdout).toMatch(/1 of 1 did not converge or could not be proven/);
  });

  it("takes names with line ends for what they are: names", async () => {
    const path = put(
      "odd.safetensors",
      safetensors([part("a\nb\u001b[31m", [3, Number.NaN], [1, 2]), part("c\nd", [3, 4], [1, 2])]),
    );
    const { stderr } = await answers([path]);
    expect(stderr).toMatch(/^spectral-norm: [^\n]*"a\\nb\\x1b\[31m": row 0[^\n]*\n$/);
    expect((await auditOf([path])).stdout).toMatch(/c\\nd/);
  });
});

describe("names out of a hostile model", () => {
  const hostile = [
    ...["=1+1", "+1", "-1", "@SUM(1)", "\tx", "\rx", "\nx", " =1", "＝1", "－1", "\u200b=1"],
    ...[
      "a\u001b[31mb",
      "a\u009b31mb",
      "a\u007fb",
      "a\u200bb",
      "a\u202eb",
      "a\u2066b",
      "a\ufeffb",
      "a\u{e0041}b",
      "a\u00adb",
      "a\u2028b",
    ],
  ];
  const path = put("hostile.safetensors", safetensors(hostile.map((name) => part(name, [3, 4], [1, 2]))));
  const bad = put("nan.safetensors", safetensors(hostile.map((name) => part(name, [3, Number.NaN], [1, 2]))));
  const unseen = /(?!\r?\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

  it("are harmless and visible in every form", async () => {
    for (const flags of [{}, { csv: true }, { json: true }, { leftOut: true }]) {
      const { stdout } = await auditOf([path], flags);
      expect(stdout, JSON.stringify(flags)).not.toMatch(unseen);
    }
    const { stderr } = await auditOf([bad]);
    expect(stderr.split("\n").filter((line) => line.includes("NaN"))).toHaveLength(hostile.length);
    expect(stderr).not.toMatch(unseen);
  });

  it("are the same after JSON, and no formulas in comma-separated values", async () => {
    const { lines } = await answers([path]);
    expect(lines.map(({ tensor }) => tensor)).toEqual(hostile);
    const { stdout } = await auditOf([path], { csv: true });
    const cells = stdout
      .split("\r\n")
      .slice(1, -1)
      .map((row) => row.slice(path.length + 1).replace(/^"/, ""));
    for (const cell of cells) expect(cell).toMatch(/^('|a|\\)/);
    expect(cells.slice(0, 4)).toEqual(
      ["'=1+1", "'+1", "'-1", "'@SUM(1)"].map((name) =>
        expect.stringMatching(`^${name.replace(/[+()]/g, "\\$&")}`),
      ),
    );
    // A negative number stays one.
    expect(csvRow({ file: "f", tensor: "t", leftOut: "-", sigma: -1 } as never, { leftOut: true })).toMatch(
      /^f,t,.*,-1,.*,'-$/,
    );
  });
});

describe("the command", () => {
  it("prints nothing but the lines where standard error is no terminal", () => {
    const { status, stdout, stderr } = runCommand("audit", model, "--json");
    expect([status, stderr]).toEqual([0, leftOutSaid()]);
    expect(linesOf(stdout).length).toBe(3);
  });

  it.each([
    [["audit"], /missing required argument 'model'/],
    [["audit", model, "--shard", "0/3"], /--shard .* i\/n/],
    [["audit", model, "--shard", "4/3"], /--shard/],
    [["audit", model, "--shard", "1"], /--shard/],
    [["audit", model, "--memory", "much"], /--memory .* 512MB/],
    [["audit", model, "--rtol", "-1"], /--rtol/],
    [["audit", model, "--sort", "colour"], /--sort .*sigma/],
    [["audit", model, "--layout", "onnx"], /--layout/],
    [["audit", model, "--json", "--csv"], /'--json' cannot be used with option '--csv'/],
    [
      ["audit", model, "--resume", join(folder, "none", "out.jsonl")],
      /out\.jsonl: cannot be written \(no such folder\)/,
    ],
    [["audit", model, "--threads", "0"], /--threads/],
    [["audit", model, "--certify", "--max-cost", "much"], /--max-cost .* 1e12/],
    [["audit", model, "--max-cost", "1e12"], /--max-cost: is for --certify/],
  ])("%j is bad usage", (argv, message) => {
    const { status, stdout, stderr } = runCommand(...argv);
    expect(stderr).toMatch(/^spectral-norm: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect([status, stdout]).toEqual([2, ""]);
  });

  it("reads a pipe and standard input as it reads a file", () => {
    const quoted = [process.execPath, command, model].map((word) => JSON.stringify(word));
    const [node, script, file] = quoted;
    const inShell = (line: string) => spawnSync("bash", ["-c", line], { encoding: "utf8", timeout: 20_000 });
    const sigma = ({ stdout }: { stdout: string }) =>
      linesOf(stdout).map((line) => [line.tensor, line.sigma]);
    const expected = sigma(runCommand("audit", model, "--json"));
    expect(expected).toHaveLength(3);
    for (const line of [
      `${node} ${script} audit <(cat ${file}) --json`,
      `cat ${file} | ${node} ${script} audit /dev/stdin --json`,
      `cat ${file} | ${node} ${script} audit - --json`,
      `${node} ${script} audit /dev/stdin --json < ${file}`,
    ]) {
      const outcome = inShell(line);
      expect([outcome.status, sigma(outcome)], line).toEqual([0, expected]);
    }
    // How Node starts a child: standard input is a socket.
    const child = spawnSync(process.execPath, [command, "audit", "/dev/stdin", "--json"], {
      input: readFileSync(model),
      encoding: "utf8",
      timeout: 20_000,
    });
    expect([child.status, sigma(child)]).toEqual([0, expected]);
  });

  it("does not wait for a pipe that a model names", () => {
    execFileSync("mkfifo", [join(folder, "pipe.safetensors")]);
    const map = { a: "pipe.safetensors", b: "pipe.safetensors", c: "model.safetensors" };
    const index = put("pipes.index.json", text({ weight_map: map }));
    const manifest = put(
      "pipes.json",
      text([{ paths: ["pipe.safetensors"], weights: [{ name: "w", shape: [1, 1], dtype: "float32" }] }]),
    );
    const { status, stderr } = spawnSync(process.execPath, [command, "audit", index, manifest], {
      encoding: "utf8",
      timeout: 20_000,
    });
    expect(status).toBe(2);
    expect(stderr).toContain(
      `${index}: "a": its file "pipe.safetensors": is a pipe, not a file; the same holds for 1`,
    );
    expect(stderr).toContain(
      `${manifest}: "w": ends at byte 4 of 0 that are there; its file "pipe.safetensors": is a pipe`,
    );
  });

  it("does not read a folder without a model", () => {
    const empty = join(folder, "empty");
    mkdirSync(empty);
    const { status, stderr } = runCommand("audit", empty);
    expect(status).toBe(2);
    expect(stderr).toBe(
      `spectral-norm: ${empty}: is a folder without a model file; name one that is elsewhere\n`,
    );
  });

  const isRoot = process.getuid?.() === 0;
  it.skipIf(isRoot)(`does not read what it may not${isRoot ? " (skipped: root may)" : ""}`, () => {
    const secret = put("secret.safetensors", text("x"));
    chmodSync(secret, 0);
    const { status, stderr } = runCommand("audit", secret);
    expect(status).toBe(2);
    expect(stderr).toContain("permission denied");
  });
});
