import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NormFlags, runNorm } from "../../src/cli/run-norm.js";
import { commandWords } from "../../src/engines/command-words.js";
import { measurePairs } from "../../src/engines/pair-residual.js";
import { rowsOf } from "../../src/files/rows.js";
import { csr } from "../../src/index.js";
import { MatlabWriter } from "../files/matlab-writer.js";
import { encode, join as joinBytes, npy, zip } from "../files/writers.js";
import { command } from "./run-command.js";

const folder = mkdtempSync(join(tmpdir(), "slepc-"));
const temporary = join(folder, "temporary");
const before = process.env["TMPDIR"];
beforeAll(() => {
  mkdirSync(temporary);
  process.env["TMPDIR"] = temporary;
});
afterAll(() => {
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  rmSync(folder, { recursive: true });
});

function put(name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function norm(files: readonly string[], options: NormFlags = {}) {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const status = await runNorm(
    files,
    { json: true, engine: "slepc", ...options },
    {
      stdin: (async function* () {})(),
      stdout: { write: (text) => stdout.push(text) },
      stderr: { write: (text) => stderr.push(text) },
    },
  );
  // Whatever happened, nothing is left behind.
  expect(readdirSync(temporary)).toEqual([]);
  const answers = stdout.flatMap((lines) => lines.split("\n").slice(0, -1)).map((line) => JSON.parse(line));
  return { status, answers, stderr: stderr.join("") };
}

/** diag(3, −5, 1), which stands in for all matrices where the engine is a fake. */
const diagonal = put(
  "diagonal.npy",
  npy({ descr: "<f8", shape: [3, 3], data: encode("<f8", [3, 0, 0, 0, -5, 0, 0, 0, 1]) }),
);

/**
 * Something in the place of python3, a shell script as it starts fastest: `solve` is what it does with a matrix, in
 * terms of `say` (an answer), `finished` (the last one) and what `give` returns.
 */
function fake(name: string, solve: string, greet = `say '${JSON.stringify(greeting)}'`): string {
  const path = put(
    name,
    `#!/bin/sh
[ "$1" = -c ] || exit 99
request=$3
field() { rest=\${request#*\\"$1\\":\\"}; echo "\${rest%%\\"*}"; }
say() { printf 'spectral-norm:%s\\n' "$1"; }
finished() { say '{"pairs":2,"reached":true,"tolerance":1e-14,"products":10}'; }
case $request in *'"do":"hello"'*) ${greet} ;; *) ${solve} ;; esac
`,
  );
  chmodSync(path, 0o755);
  return path;
}

const greeting = { slepc: "3.0.0", indexBytes: 4, scalar: "float64", processes: 1 };
const [e1, e2] = [
  [1, 0, 0],
  [0, 1, 0],
];
let given = 0;
/** The shell's way to hand over u₁, v₁, u₂, v₂. */
function give(...vectors: readonly number[][]): string {
  const numbers = Float64Array.from(vectors.flat());
  return `cp '${put(`vectors${given++}`, new Uint8Array(numbers.buffer))}' "$(field vectors)"; `;
}
const say = (answer: object) => `say '${JSON.stringify(answer)}'; `;
const last = { pairs: 2, reached: true, tolerance: 1e-14, products: 10 };

const right = `${give(e2, e2, e1, e1)} finished`;
const works = fake("works", right);

describe("norm --engine slepc", () => {
  it("answers with the keys that norm has, as measured here", async () => {
    const { status, answers, stderr } = await norm([diagonal], { python: works });
    expect([status, stderr]).toEqual([0, ""]);
    const own = await norm([diagonal], { engine: undefined });
    expect(Object.keys(answers[0])).toEqual(Object.keys(own.answers[0]));
    expect(answers[0]).toEqual({
      file: diagonal,
      rows: 3,
      cols: 3,
      dtype: "float64",
      method: "slepc",
      sigma: 5,
      residual: 0,
      gap: 2,
      gradientError: 2.5 * 2 ** -52,
      iterations: 5,
      passes: 11,
      converged: true,
      tied: false,
    });
  });

  it("proves what came back", async () => {
    const { answers } = await norm([diagonal], { python: works, certify: true });
    expect(answers[0]).toMatchObject({ proven: true, method: "slepc" });
    expect(answers[0].lower).toBeLessThanOrEqual(5);
    expect(answers[0].upper).toBeGreaterThanOrEqual(5);
    expect(answers[0].gradientErrorBound).toBeLessThan(1e-12);
    const large = await norm([diagonal], { python: works, certify: true, memory: 71 });
    expect(large.stderr).toBe("");
    expect([large.status, large.answers[0].sigma, large.answers[0].proven]).toEqual([1, 5, false]);
  });

  it("hands the matrix over in PETSc's format, and the options", async () => {
    const [request, copy, threads] = ["request", "copy", "threads"].map((name) => join(folder, name));
    const watch = `echo "$request" > '${request}'; cp "$(field matrix)" '${copy}'; echo "$OMP_NUM_THREADS" > '${threads}'`;
    const spy = fake("spy", `${watch}; ${right}`);
    const asked = () => JSON.parse(readFileSync(request, "utf8"));
    await norm([diagonal], { python: spy, rtol: 1e-3, seed: 7, maxIterations: 50, mpiexec: "env X='a b'" });
    const file = joinBytes(encode(">i4", [1211216, 3, 3, -1]), encode(">f8", [3, 0, 0, 0, -5, 0, 0, 0, 1]));
    expect([...readFileSync(copy)]).toEqual([...file]);
    expect(asked()).toMatchObject({ do: "solve", dense: true, rtol: 1e-3, seed: 7, steps: 50 });
    expect(readFileSync(threads, "utf8").trim()).toBe(process.env["OMP_NUM_THREADS"] ?? "1");

    const text = "%%MatrixMarket matrix coordinate real general\n3 3 3\n1 1 3\n2 2 -5\n3 3 1\n";
    await norm([put("sparse.mtx", text)], { python: spy });
    expect(asked().dense).toBe(false);

    // As it lies where it is in that format, and written anew where its integers are of another width.
    const lying = put("lying.petsc", file);
    await norm([lying], { python: spy });
    expect([asked().matrix, asked().leftovers.includes(lying)]).toEqual([lying, false]);
    const wide = fake("wide", `${watch}; ${right}`, say({ ...greeting, indexBytes: 8 }));
    const { answers } = await norm([lying], { python: wide });
    expect(answers[0].sigma).toBe(5);
    expect(asked().matrix).not.toBe(lying);
    expect(readFileSync(copy).toString("hex").slice(0, 16)).toBe("0000000000127b50");
    expect(existsSync(lying)).toBe(true);
  });

  it("hands over what other programs have written; sparse matrices stay sparse, and gzip is unpacked", async () => {
    const [request, copy] = ["request-of", "copy-of"].map((name) => join(folder, name));
    const watch = `echo "$request" > '${request}'; cp "$(field matrix)" '${copy}'`;
    const spy = fake("spy-of", `${watch}; ${right}`);
    const writer = new MatlabWriter();
    const triples = { data: [3, -5, 1], places: [0, 1, 2] };
    const full = writer.full("A", "int8", [3, 3], [3, 0, 0, 0, -5, 0, 0, 0, 1]);
    const columns = writer.array({
      ...{ type: "sparse", dims: [3, 3], name: "S" },
      content: [
        writer.numbers("int32", triples.places),
        writer.numbers("int32", [0, 1, 2, 3]),
        writer.numbers("double", triples.data),
      ],
    });
    const vector = (descr: string, numbers: readonly number[]) =>
      npy({ descr, shape: [numbers.length], data: encode(descr, numbers) });
    const scipy = zip(
      Object.entries({
        format: npy({ descr: "|S3", shape: [], data: new TextEncoder().encode("coo") }),
        shape: vector("<i8", [3, 3]),
        data: vector("<f4", triples.data),
        row: vector("<i4", triples.places),
        col: vector("<i4", triples.places),
      }).map(([name, content]) => ({ name: `${name}.npy`, content, deflate: true })),
    );
    const text = "%%MatrixMarket matrix coordinate real general\n3 3 3\n1 1 3\n2 2 -5\n3 3 1\n";
    const lying = joinBytes(encode(">i4", [1211216, 3, 3, -1]), encode(">f8", [3, 0, 0, 0, -5, 0, 0, 0, 1]));
    const cases: readonly (readonly [string, Uint8Array, boolean])[] = [
      ["full.mat", writer.file(writer.compressed(full)), true],
      ["columns.mat", writer.file(columns), false],
      ["scipy.npz", scipy, false],
      ["text.mtx.gz", gzipSync(text), false],
      ["lying.petsc.gz", gzipSync(lying), true],
    ];
    const sparseBytes = joinBytes(
      encode(">i4", [1211216, 3, 3, 3, 1, 1, 1, ...triples.places]),
      encode(">f8", triples.data),
    );
    for (const [name, bytes, dense] of cases) {
      const { answers, status, stderr } = await norm([put(name, bytes)], { python: spy });
      expect([status, stderr, answers[0]?.sigma], name).toEqual([0, "", 5]);
      expect(JSON.parse(readFileSync(request, "utf8")).dense, name).toBe(dense);
      expect([...readFileSync(copy)], name).toEqual([...(dense ? lying : sparseBytes)]);
    }
  });

  it("turns u and v around for a matrix in Fortran order, and u where its sign is wrong", async () => {
    // [0 2; 0 0] has u = e1 and v = e2; of what is read, its transpose, u = e2.
    const file = put(
      "fortran.npy",
      npy({ descr: "<f8", shape: [2, 2], fortran: true, data: encode("<f8", [0, 0, 2, 0]) }),
    );
    const python = fake("fortran", `${give([0, 1], [-1, 0], [1, 0], [0, 1])} finished`);
    const { answers, status } = await norm([file], { python, certify: true });
    expect([status, answers[0].sigma, answers[0].residual, answers[0].gap]).toEqual([0, 2, 0, 2]);
    expect(answers[0].gradientErrorBound).toBeLessThan(1e-12);
  });

  it("takes the larger of two pairs for the first", async () => {
    const { answers } = await norm([diagonal], {
      python: fake("swapped", `${give(e1, e1, e2, e2)} finished`),
    });
    expect(answers[0]).toMatchObject({ sigma: 5, gap: 2, converged: true });
  });

  it("does not believe that it converged", async () => {
    const turned = (by: number) => {
      const c = Math.sqrt(1 - by * by);
      return give([by, c, 0], [by, c, 0], [c, -by, 0], [c, -by, 0]);
    };
    const far = turned(1e-3);
    const honest = await norm([diagonal], { python: fake("honest", far + say({ ...last, reached: false })) });
    expect([honest.status, honest.answers[0].converged]).toEqual([1, false]);
    // −5 and 3 turned by s: ‖Av−σu‖ = 8s, twice.
    expect(honest.answers[0].residual / (8e-3 * Math.SQRT2)).toBeCloseTo(1, 5);
    const liar = await norm([diagonal], { python: fake("liar", `${far} finished`) });
    expect([liar.status, liar.answers]).toEqual([2, []]);
    expect(liar.stderr).toMatch(
      /^spectral-norm: .*diagonal.npy: SLEPc: what it returned is no singular triplet of this matrix: its residual is 0.011.*\n$/,
    );
    // Between the two: good, but less so than was asked for.
    const near = turned(1e-12);
    const loose = await norm([diagonal], { python: fake("loose", `${near} finished`) });
    expect([loose.status, loose.answers[0].converged]).toEqual([1, false]);
    const python = fake("enough", near + say({ ...last, tolerance: 1e-9 }));
    const enough = await norm([diagonal], { python, rtol: 1e-8 });
    expect([enough.status, enough.answers[0].converged]).toEqual([0, true]);
  });

  it("knows a tie, and the zero matrix", async () => {
    const tie = put("tie.csv", "2,0,0\n0,2,0\n0,0,1\n");
    const tied = await norm([tie], { python: works });
    expect(tied.answers[0]).toMatchObject({
      sigma: 2,
      gap: 0,
      gradientError: Math.SQRT2,
      tied: true,
      converged: true,
    });
    const zero = put("zero.csv", "0,0\n0,0\n0,0\n");
    const none = await norm([zero], { python: fake("zero", say({ zero: true })) });
    expect(none.answers[0]).toMatchObject({ rows: 3, sigma: 0, gap: 0, tied: true, converged: true });
  });

  it("reports whatever else in one line", async () => {
    const refused: readonly (readonly [string, RegExp])[] = [
      [`echo x > "$(field vectors)"; finished`, /its vectors take 2 bytes, not 96$/],
      ["finished", /its vectors are not there \(no such file\); .*TMPDIR/],
      [`${give(e2, [0, 2, 0], e1, e1)} finished`, /has length 2, not 1$/],
      [`${give(e2, [Number.NaN, 0, 0], e1, e1)} finished`, /has length NaN, not 1$/],
      [`${give(e2, e2, e2, e2)} finished`, /not orthogonal \(1\)$/],
      [give(e2, e2) + say({ ...last, pairs: 1 }), /its answer is not understood$/],
      [give(e2, e2, e1, e1) + say({ ...last, products: "many" }), /its answer is not understood$/],
      [say({ products: 3 }), /its answer is not understood$/],
      [":", /gave no answer$/],
      ["echo '[0] hello'; echo '{}'", /gave no answer$/],
      ["echo 'spectral-norm:{'", /writes invalid JSON$/],
      ["echo 'spectral-norm:7'", /writes invalid JSON$/],
      ["head -c 100000 /dev/zero; sleep 60", /answers without an end$/],
      [`${say({ error: "Error: code 55\nno memory" })} exit 1`, /: SLEPc: Error: code 55\\nno memory$/],
      ["printf 'one\\ntwo  three\\n\\n' >&2; exit 9", /ended with status 9 \(two three\)$/],
      ["echo dying >&2; kill -SEGV $$", /was ended by a signal \(dying\)$/],
      [
        `r=${"-".repeat(74)}; for line in $r "There are not" "  enough slots" "" "  python" $r; do echo "$line"; done >&2; exit 1`,
        /ended with status 1 \(There are not enough slots\)$/,
      ],
      ["echo 'mpiexec has detected an attempt to run as root.' >&2; exit 1", /--allow-run-as-root/],
      [say({ notFinite: true }), /scale the matrix down first$/],
    ];
    const cases = refused.map(([solve], k) => `*/case${k}.petsc*) ${solve} ;;`);
    const python = fake("bad", `case $request in ${cases.join("\n")} esac`);
    const matrix = joinBytes(encode(">i4", [1211216, 3, 3, -1]), encode(">f8", [3, 0, 0, 0, -5, 0, 0, 0, 1]));
    const files = refused.map((_, k) => put(`case${k}.petsc`, matrix));
    const { status, answers, stderr } = await norm(files, { python });
    expect([status, answers]).toEqual([2, []]);
    const lines = stderr.split("\n");
    expect(lines).toHaveLength(refused.length + 1);
    refused.forEach(([, message], k) => {
      expect(lines[k]).toMatch(message);
      expect(lines[k].startsWith(`spectral-norm: ${files[k]}: `)).toBe(true);
    });
  });

  it("ends what hangs, even if it minds no signal", async () => {
    const hanging = fake("hanging", "trap '' TERM; while :; do sleep 0.1; done");
    const { status, stderr } = await norm([diagonal], { python: hanging, timeout: 0.5 });
    expect([status, stderr]).toEqual([2, expect.stringMatching(/has written nothing for 0.5 s/)]);
  });

  it("waits for one that says now and then that it lives, but not for what it has started", async () => {
    // Longer in all than it may be silent, and a fifteenth of that at a time.
    const signs = `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do ${say({ products: 1, sigma: 5 })} sleep 0.2; done`;
    const pid = join(folder, "left-running");
    const busy = fake("busy", `${signs}; sleep 1000 & echo $! > '${pid}'; ${right}`);
    const { status } = await norm([diagonal], { python: busy, timeout: 3 });
    expect(status).toBe(0);
    const left = Number(readFileSync(pid, "utf8"));
    expect(alive(left)).toBe(true);
    process.kill(left);
  });

  it("says how to get SLEPc where there is none, once, and nothing else", async () => {
    const none = fake(
      "none",
      "",
      `${say({ missing: "ModuleNotFoundError: No module named slepc4py" })} exit 3`,
    );
    for (const python of [none, join(folder, "nowhere")]) {
      const { status, answers, stderr } = await norm([diagonal, diagonal], { python });
      expect([status, answers]).toEqual([2, []]);
      expect(stderr).toMatch(
        /^spectral-norm: --engine slepc: no SLEPc for Python is found \([^\n]+\)\. [^\n]*apt-get install python3-slepc4py[^\n]*conda[^\n]*\n$/,
      );
    }
    const complex = fake("complex", "", say({ ...greeting, scalar: "complex128" }));
    expect((await norm([diagonal], { python: complex })).stderr).toMatch(/computes with complex128/);
    const { stderr } = await norm([diagonal], { python: works, mpiexec: "no-such-mpiexec -n 2" });
    expect(stderr).toBe("spectral-norm: no-such-mpiexec cannot be run (no such program)\n");
  });

  it("does the other files when one is bad", async () => {
    const nan = put("nan.npy", npy({ descr: "<f8", shape: [1, 2], data: encode("<f8", [1, Number.NaN]) }));
    const { status, answers, stderr } = await norm([nan, diagonal, join(folder, "no-file")], {
      python: works,
    });
    expect([status, answers.length]).toEqual([2, 1]);
    expect(stderr).toMatch(
      /^[^\n]*nan.npy: matrix: row 0, column 1 is NaN[^\n]*\n[^\n]*no-file: no such file\n$/,
    );
  });

  it("refuses options that do not go together", async () => {
    const cases: readonly (readonly [NormFlags, RegExp])[] = [
      [{ method: "lanczos" }, /--method lanczos: cannot be combined with --engine slepc/],
      [{ mpiexec: "mpiexec 'x" }, /--mpiexec: a ' has no end/],
      [{ engine: undefined, mpiexec: "mpiexec" }, /--mpiexec: needs --engine slepc/],
      [{ engine: undefined, timeout: 3 }, /--timeout: needs --engine slepc/],
      [{ engine: undefined, python: "x" }, /--python: needs --engine slepc/],
    ];
    for (const [options, message] of cases) {
      const { status, stderr } = await norm([diagonal], options);
      expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
    }
  });

  it("takes everything with it when it is told to end", async () => {
    const pid = join(folder, "pid");
    const waiting = fake("waiting", `echo $$ > '${pid}'; while :; do sleep 0.1; done`);
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      rmSync(pid, { force: true });
      const argv = [command, "norm", diagonal, "--engine", "slepc", "--python", waiting];
      const child = spawn(process.execPath, argv, { stdio: "ignore" });
      const ended = new Promise<string | null>((resolve) => child.on("exit", (_, how) => resolve(how)));
      while (!existsSync(pid) || readFileSync(pid, "utf8") === "")
        await new Promise((resolve) => setTimeout(resolve, 20));
      expect(readdirSync(temporary)).toHaveLength(1);
      child.kill(signal);
      expect(await ended).toBe(signal);
      expect(readdirSync(temporary)).toEqual([]);
      const other = Number(readFileSync(pid, "utf8"));
      for (let tries = 0; alive(other) && tries < 250; tries++)
        await new Promise((resolve) => setTimeout(resolve, 20));
      expect(alive(other)).toBe(false);
    }
  });
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the words of --mpiexec", () => {
  it("are parted by space, with quotes and backslashes", () => {
    const cases: readonly (readonly [string, string[]])[] = [
      ["mpiexec -n 4", ["mpiexec", "-n", "4"]],
      ["  mpiexec\t-n\n4  ", ["mpiexec", "-n", "4"]],
      ["srun --comment='two words' -n 2", ["srun", "--comment=two words", "-n", "2"]],
      ['"/opt/open mpi/mpiexec" -x A="b c"', ["/opt/open mpi/mpiexec", "-x", "A=b c"]],
      ['a\\ b \'\\n\' "\\n\\"\\\\" "it\'s"', ["a b", "\\n", '\\n"\\', "it's"]],
      ["x '' \"\"", ["x", "", ""]],
      ["x $HOME *; rm | y > z `w`", ["x", "$HOME", "*;", "rm", "|", "y", ">", "z", "`w`"]],
    ];
    for (const [text, words] of cases) expect(commandWords(text, "--mpiexec")).toEqual(words);
  });

  it("are refused where they have no end, or are none", () => {
    for (const text of ["'a", 'a"', "a\\", "", "  "])
      expect(() => commandWords(text, "--mpiexec")).toThrow(/^--mpiexec: /);
  });
});

describe("measured pairs", () => {
  it("have the σ and the residual that the definition gives, dense and sparse, at any scale", () => {
    const [m, n] = [300, 7];
    for (const scale of [1, 1e300, 1e-300]) {
      const data = Float64Array.from({ length: m * n }, (_, k) => Math.sin(k * k + 1) * scale);
      const unit = (length: number, phase: number) => {
        const x = Float64Array.from({ length }, (_, i) => Math.cos(i * phase + 1));
        const size = Math.hypot(...x);
        return x.map((value) => value / size);
      };
      const pair = { u: unit(m, 0.7), v: unit(n, 1.3) };
      const Av = Array.from(pair.u, (_, i) =>
        pair.v.reduce((sum, value, j) => sum + (data[i * n + j] / scale) * value, 0),
      );
      const Atu = Array.from(pair.v, (_, j) =>
        pair.u.reduce((sum, value, i) => sum + (data[i * n + j] / scale) * value, 0),
      );
      const raw = Av.reduce((sum, value, i) => sum + value * pair.u[i], 0);
      const sigma = Math.abs(raw);
      const sign = Math.sign(raw);
      const residual = Math.hypot(
        ...Av.map((value, i) => value - sigma * sign * pair.u[i]),
        ...Atu.map((value, j) => sign * value - sigma * pair.v[j]),
      );
      const sparse = csr({
        data,
        indices: Array.from(data, (_, k) => k % n),
        indptr: Array.from({ length: m + 1 }, (_, i) => i * n),
        shape: [m, n],
      });
      for (const matrix of [{ data, shape: [m, n] }, { data, shape: [m, n], stride: [n, 1] }, sparse]) {
        const [found] = measurePairs(rowsOf(matrix), [{ u: pair.u.slice(), v: pair.v.slice() }]);
        // Sums of at most 300 terms of size 1: 300·ε, and far less as a rule.
        expect(Math.abs(found.sigma / scale - sigma)).toBeLessThan(300 * 2 ** -52);
        expect(Math.abs(found.residual / scale - residual)).toBeLessThan(300 * 2 ** -52 * residual);
      }
    }
  });

  it("keep their digits over many equal rows", () => {
    const m = 1 << 20;
    const ones = { data: new Float64Array(1).fill(1), shape: [m, 1], stride: [0, 0] };
    const u = new Float64Array(m).fill(2 ** -10);
    const [{ sigma, residual }] = measurePairs(rowsOf(ones), [{ u, v: Float64Array.of(1) }]);
    expect([sigma, residual]).toEqual([2 ** 10, 0]);
  });
});

/** A Python that has slepc4py, where there is one. */
const python = ["python3", "/usr/bin/python3"].find((path) => {
  const folders =
    "import glob, sys; sys.path += [f for name in ('petsc', 'slepc') for f in sorted(glob.glob('/usr/lib/%sdir/*/*-real/lib/python3/dist-packages' % name))]";
  return spawnSync(path, ["-c", `${folders}; import slepc4py.SLEPc`]).status === 0;
});
const mpiexec = (process.env["PATH"] ?? "")
  .split(delimiter)
  .some((place) => existsSync(join(place, "mpiexec")));
const lacking = python === undefined ? " (skipped: no python3 here has slepc4py)" : "";

describe.skipIf(python === undefined)(`SLEPc itself${lacking}`, () => {
  // As root, and where there are fewer cores than processes, or others that want them.
  const allowed = [
    "OMPI_ALLOW_RUN_AS_ROOT",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
    "OMPI_MCA_mpi_yield_when_idle",
  ];
  beforeAll(() => {
    for (const name of allowed) process.env[name] = "1";
  });
  const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}.mtx`, import.meta.url));
  const eye = put(
    "eye.csv",
    [0, 1, 2, 3, 4].map((i) => `${[0, 1, 2, 3, 4].map((j) => (i === j ? 7 : 0))}\n`).join(""),
  );
  const outer = put("rank-one.csv", [1, 2, 3, 4].map((a) => `${[3 * a, 4 * a, 0]}\n`).join(""));
  // SLEPc's own space ends after as many steps as there are singular values that are not 0.
  const few = put(
    "few.mtx",
    "%%MatrixMarket matrix coordinate real general\n50 40 3\n1 7 5\n9 3 4\n30 20 2\n",
  );
  const cases = (...names: string[]) => names.map((name) => known[name]);
  const known: Readonly<Record<string, { file: string; sigma: number; second: number }>> = {
    well1033: { file: fixture("well1033"), sigma: 1.8065110200065646, second: 1.7678371616479138 },
    west0479: { file: fixture("west0479"), sigma: 318951.75980514265, second: 317252.89983629173 },
    eye: { file: eye, sigma: 7, second: 7 },
    outer: { file: outer, sigma: 5 * Math.sqrt(30), second: 0 },
    row: { file: put("row.csv", "3,4\n"), sigma: 5, second: 0 },
    few: { file: few, sigma: 5, second: 4 },
  };
  const expectKnown = async (all: ReturnType<typeof cases>, options: NormFlags) => {
    const files = all.map(({ file }) => file);
    const { status, stderr, answers } = await norm(files, { python, ...options });
    expect([status, stderr]).toEqual([0, ""]);
    answers.forEach((answer, k) => {
      const { sigma, second } = all[k];
      const tied = sigma === second;
      // The value's error is quadratic in the residual: what is left is rounding.
      expect(Math.abs(answer.sigma / sigma - 1)).toBeLessThan(1e-14);
      expect(answer).toMatchObject({ method: "slepc", converged: true, tied });
      if (!tied) expect(Math.abs(answer.gap / (sigma - second) - 1)).toBeLessThan(1e-3);
    });
  };

  it("finds known norms, and sees a tie and a rank of one", () =>
    expectKnown(cases("well1033", "eye", "west0479", "outer", "row", "few"), {}));

  const alone = mpiexec ? "" : " (skipped: there is no mpiexec)";
  it.skipIf(!mpiexec)(`finds them in two processes${alone}`, () =>
    expectKnown(cases("well1033", "eye"), { mpiexec: "mpiexec --oversubscribe -n 2" }),
  );

  it("says so where its steps do not suffice", async () => {
    const { status, answers } = await norm([fixture("well1033")], { python, maxIterations: 5 });
    expect([status, answers[0].converged]).toEqual([1, false]);
    expect(answers[0].sigma).toBeLessThan(1.8065110200065646 * (1 + 1e-14));
  });
});
