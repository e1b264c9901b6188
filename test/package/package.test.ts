import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { SourceMap, type SourceMapping } from "node:module";
import { basename, dirname, join, posix } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { auditOf, manifests } from "../audit/models.js";
import { floats, safetensors } from "../files/models.js";
import { encode, npy } from "../files/writers.js";
import {
  addPeers,
  compile,
  type Installed,
  install,
  isForeign,
  remove,
  repository,
  run,
  write,
} from "./install.js";

// Compilers and processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000 });

let installed: Installed;

beforeAll(() => {
  installed = install();
});
afterAll(() => remove(installed));

const consumer = (name: string) =>
  readFileSync(join(repository, "test", "package", "consumer", `${name}.ts`), "utf8");

/** The `results` that a compiled consumer exports. */
function resultsOf(folder: string, script: string) {
  const print = `const { results } = await import("./out/${script}.js"); console.log(JSON.stringify(results))`;
  return JSON.parse(run(folder, "--input-type=module", "--eval", print));
}

describe("the tarball", () => {
  const inPackage = (path: string) => join(installed.folder, "node_modules", "spectral-norm", path);
  const textOf = (path: string) => readFileSync(inPackage(path), "utf8");
  const packedAs = (ending: string) => installed.packed.filter((path) => path.endsWith(ending));

  it("holds what runs, its declarations with maps and sources, licences, changes, the README, and nothing else", () => {
    const other = installed.packed.filter(
      (path) =>
        !/^(dist\/(.*\.js|.*\.d\.ts|.*\.d\.ts\.map|cli\/THIRD-PARTY-LICENSES\.txt)|src\/.*\.ts|(README|CHANGELOG)\.md|LICENSE|package\.json)$/.test(
          path,
        ),
    );
    expect(other).toEqual([]);
    expect(installed.packed).toEqual(
      expect.arrayContaining([
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "dist/cli/THIRD-PARTY-LICENSES.txt",
        "dist/cli/spectral-norm.js",
        "dist/index.d.ts",
        "dist/index.d.ts.map",
        "dist/index.js",
        "dist/tfjs/index.d.ts",
        "dist/threads/index.d.ts",
        "dist/threads/index.js",
        "dist/tfjs/index.js",
        "dist/webgpu/index.d.ts",
        "dist/webgpu/index.js",
        "src/index.ts",
      ]),
    );
    console.log(`tarball: ${installed.packed.length} files, ${installed.tarballBytes} bytes`);
    // 1.33 MB when this was written, of which the sources and the maps are 0.3 MB. Generated sources would add 0.3 MB.
    expect(installed.tarballBytes).toBeLessThan(1.45e6);
  });

  it("maps every declaration that it holds to a source that it holds, and holds no other source", () => {
    const sources = packedAs(".d.ts")
      .filter((path) => !path.endsWith(".generated.d.ts"))
      .map((path) => {
        expect(textOf(path)).toMatch(new RegExp(`^//# sourceMappingURL=${basename(path)}\\.map$`, "m"));
        const map = JSON.parse(textOf(`${path}.map`));
        expect([path, map.sources.length]).toEqual([path, 1]);
        return posix.join(dirname(path), map.sourceRoot, map.sources[0]);
      });
    expect(sources.sort()).toEqual(installed.packed.filter((path) => path.startsWith("src/")).sort());
    expect(packedAs(".map").length).toBe(sources.length);
  });

  it("points to no map that it does not hold", () => {
    const pointers = installed.packed.flatMap((path) =>
      [...textOf(path).matchAll(/^\/\/# sourceMappingURL=(\S+)/gm)].map(([, map]) =>
        posix.join(dirname(path), map),
      ),
    );
    expect(pointers.filter((map) => !installed.packed.includes(map))).toEqual([]);
    expect(pointers.length).toBe(packedAs(".map").length);
  });

  it("leads from a declared name to its line in the source", () => {
    const declared = /^export declare (?:abstract )?(?:function|class|const) (\w+)/;
    const missed: string[] = [];
    let found = 0;
    for (const path of packedAs(".d.ts").filter((one) => installed.packed.includes(`${one}.map`))) {
      const map = new SourceMap(JSON.parse(textOf(`${path}.map`)));
      textOf(path)
        .split("\n")
        .forEach((line, row) => {
          const name = declared.exec(line)?.[1];
          if (!name) return;
          const entry = map.findEntry(row, line.indexOf(name, "export declare ".length));
          const source =
            "originalLine" in entry ? posix.join(dirname(path), entry.originalSource) : undefined;
          const original = source && textOf(source).split("\n")[(entry as SourceMapping).originalLine];
          if (original?.includes(name)) found++;
          else missed.push(`${path}: ${name} → ${source}: ${original}`);
        });
    }
    expect(missed).toEqual([]);
    expect(found).toBeGreaterThan(100);
  });

  it("installs nothing but itself", () => {
    const modules = readdirSync(join(installed.folder, "node_modules")).filter(
      (name) => !name.startsWith("."),
    );
    expect(modules).toEqual(["spectral-norm"]);
  });

  it("depends on nothing, and leaves the tensor libraries to those who have them", () => {
    const manifest = JSON.parse(
      readFileSync(join(installed.folder, "node_modules", "spectral-norm", "package.json"), "utf8"),
    );
    expect(manifest.dependencies ?? {}).toEqual({});
    expect(manifest.optionalDependencies ?? {}).toEqual({});
    for (const peer of Object.keys(manifest.peerDependencies))
      expect([peer, manifest.peerDependenciesMeta[peer]]).toEqual([peer, { optional: true }]);
  });
});

describe("the tools that check packages before they are published", () => {
  it("publint finds nothing to report", async () => {
    const bytes = Uint8Array.from(readFileSync(installed.tarball));
    const { messages, pkg } = await publint({ pack: { tarball: bytes.buffer }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  it("attw finds every entry typed as it runs, for whoever imports modules", () => {
    const attw = join(repository, "node_modules", "@arethetypeswrong", "cli", "dist", "index.js");
    // The other profiles ask for CommonJS, which the package does not have.
    const args = [attw, installed.tarball, "--profile", "esm-only", "--format", "ascii", "--no-color"];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect([status, stderr], stdout).toEqual([0, ""]);
    const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
    for (const entry of Object.keys(manifest.exports))
      expect(stdout).toContain(`"${posix.join("spectral-norm", entry)}"`);
  });
});

describe("the engine-free part", () => {
  it.each(["nodenext", "bundler"] as const)("type-checks and runs under %s", (resolution) => {
    const folder = write(installed, `core-${resolution}`, { "core.ts": consumer("core") });
    expect(compile(installed, folder, resolution, ["es2022"])).toEqual([]);
    const results = resultsOf(folder, "core");
    expect(results).toMatchObject({
      dtype: true,
      converged: true,
      codes: ["ERR_SHAPE", "ERR_NON_FINITE", "ERR_OPTION", "ERR_UNSUPPORTED"],
      classes: ["ShapeError", "NonFiniteError", "OptionError", "UnsupportedError"],
    });
    expect(results.kernels).toMatch(/^wasm/);
    expect(results.typed).toEqual(new Array(13).fill([5, true]));
    // To float32's rounding.
    for (const [value, right] of results.complex) {
      expect(value).toBeCloseTo(5, 6);
      expect(right).toBe(true);
    }
    expect(results.complex.map(([, , dtype]: unknown[]) => dtype)).toEqual([
      ...new Array(6).fill("complex128"),
      ...new Array(3).fill("complex64"),
    ]);
    for (const [value, single] of results.halves)
      expect([Math.abs(value - 5) < 1e-6, single]).toEqual([true, true]);
    expect(results.returned).toEqual([true, true]);
    const close = (actual: number[], expected: number[]) => {
      expect(actual.length).toBe(expected.length);
      actual.forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i], 6);
      });
    };
    close(results.norms, [4, 4, 4, 4, 4]);
    close([results.value, results.cond, results.frobenius], [4, 4 / 3, 5]);
    close(results.grad, [0, 0, 0, 0, 1, 0]);
    close(results.batch, [4, 6]);
    close(results.values, [4, 6]);
    close(results.svdvals, [4, 3]);
    close(results.largest, [4, 3, 2, 3]);
    close(results.parameters, [1, 1]);
  });

  it.each(["nodenext", "bundler"] as const)("its threads type-check and run under %s", (resolution) => {
    const folder = write(installed, `threads-${resolution}`, { "threads.ts": consumer("threads") });
    expect(compile(installed, folder, resolution, ["es2022"])).toEqual([]);
    const { values, ...rest } = resultsOf(folder, "threads");
    expect(rest).toEqual({ shape: [2, 3], refused: "ERR_UNSUPPORTED", count: 2 });
    for (const value of values) expect(value).toBeCloseTo(value > 4.5 ? 5 : 4, 6);
  });

  it.each([
    ["nodenext", ["es2022"]],
    ["nodenext", ["es2022", "dom"]],
    ["bundler", ["es2022"]],
    ["bundler", ["es2022", "dom"]],
  ] as const)("its WebGPU type-checks under %s with %j, and misses a device", (resolution, lib) => {
    const folder = write(installed, `webgpu-${resolution}-${lib.length}`, {
      "webgpu.ts": consumer("webgpu"),
    });
    expect(compile(installed, folder, resolution, lib)).toEqual([]);
    expect(resultsOf(folder, "webgpu")).toEqual({ spectralNorm: "ERR_DEVICE", requestDevice: "ERR_DEVICE" });
  });

  it("exports functions and classes that are all in the reference", () => {
    const list = `console.log(JSON.stringify(Object.keys(await import("spectral-norm"))))`;
    const names: string[] = JSON.parse(run(installed.folder, "--input-type=module", "--eval", list));
    const reference = readFileSync(join(repository, "docs", "reference.md"), "utf8");
    expect(names.length).toBeGreaterThan(15);
    expect(names.filter((name) => !reference.includes(`\`${name}`))).toEqual([]);
  });

  it("does no work when it is imported", () => {
    // Every way to WebAssembly, counted.
    const counting = `
      globalThis.uses = [];
      for (const name of Object.getOwnPropertyNames(WebAssembly)) {
        const own = WebAssembly[name];
        if (typeof own !== "function") continue;
        WebAssembly[name] = new Proxy(own, {
          apply: (...call) => (uses.push(name), Reflect.apply(...call)),
          construct: (...call) => (uses.push(name), Reflect.construct(...call)),
        });
      }`;
    const use = `
      import { spectralNorm } from "spectral-norm";
      const imported = [...uses];
      spectralNorm([[3, 0], [0, 4]]);
      console.log(JSON.stringify({ imported, used: uses }));`;
    const folder = write(installed, "idle", { "counting.js": counting, "use.js": use });
    const { imported, used } = JSON.parse(run(folder, "--import", "./counting.js", "use.js"));
    expect(imported).toEqual([]);
    expect(used).toEqual(expect.arrayContaining(["Module", "Instance", "Memory"]));
  });

  // With the WebAssembly that they use; a bundler leaves out the rest.
  // Complex matrices may cost those who have none 2 KiB. Convolutions have a routine of WebAssembly and proofs of their
  // own, for which those who do not import them do not pay.
  it.each([
    ["all that there is", 96, () => "*"],
    [
      "all for real matrices, without convolutions",
      62,
      (all: string[]) => `{ ${all.filter((name) => name !== "complexMatrix" && !name.startsWith("conv"))} }`,
    ],
    ["value, gradient, triplet", 40, () => "{ spectralNorm, valueAndGrad, singularTriplet }"],
  ])("%s: at most %i KiB, minified and gzipped", async (what, most, choose) => {
    const list = 'console.log(JSON.stringify(Object.keys(await import("spectral-norm"))))';
    const names = choose(JSON.parse(run(installed.folder, "--input-type=module", "--eval", list)));
    const { outputFiles } = await build({
      stdin: { contents: `export ${names} from "spectral-norm";`, resolveDir: installed.folder },
      bundle: true,
      minify: true,
      format: "esm",
      target: "es2022",
      write: false,
    });
    const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length;
    console.log(`${what}: ${bytes} bytes gzipped, ${(bytes / 1024).toFixed(1)} KiB`);
    // Whoever does not start threads does not load them.
    expect(outputFiles[0].text).not.toMatch(/startThreads|new Worker/);
    // Nor WebGPU.
    expect(outputFiles[0].text).not.toMatch(/requestAdapter|workgroup/);
    expect(bytes).toBeLessThanOrEqual(most * 1024);
    for (const file of ["README.md", "docs/guide/start.md"])
      expect(readFileSync(join(repository, file), "utf8")).toContain(`${most} KiB`);
  });

  // A bundler cannot divide what it writes as one script (IIFE): the workers of Vite before version 8, for example.
  it.each(["spectral-norm", "spectral-norm/threads", "spectral-norm/webgpu"])(
    "%s imports nothing dynamically",
    async (name) => {
      const { metafile } = await build({
        stdin: { contents: `export * from "${name}";`, resolveDir: installed.folder },
        bundle: true,
        splitting: true,
        format: "esm",
        outdir: "chunks",
        metafile: true,
        write: false,
      });
      expect(Object.keys(metafile.outputs).length).toBe(1);
    },
  );

  const bundled = async (name: string, names: string, use: string) => {
    const { outputFiles } = await build({
      stdin: {
        contents: `import { ${names} } from "spectral-norm";\n${use}`,
        resolveDir: installed.folder,
      },
      bundle: true,
      minify: true,
      format: "esm",
      target: "es2022",
      write: false,
    });
    const folder = write(installed, name, { "bundle.js": outputFiles[0].text });
    return run(folder, "bundle.js").trim();
  };

  it("proves norms of convolutions in a bundle", async () => {
    const use = `
      const A = conv2d({ data: [1, 1, 1], shape: [1, 1, 1, 3] }, { input: [1, 5000], padding: [0, 1] });
      const { lower, upper, method } = certify(A);
      console.log(method, lower <= 3 && upper >= 2.999999 && upper < 3.01);`;
    expect(await bundled("convolution", "certify, conv2d", use)).toMatch(/^(symbol|cholesky) true$/);
  });

  it("takes complex matrices in a bundle with complexMatrix, and says what is missing in one without", async () => {
    const A = '{ data: new Float64Array([3, 4]), shape: [1, 1], dtype: "complex128" }';
    const without = `try { spectralNorm(${A}); } catch (error) { console.log(error.code, error.message); }`;
    expect(await bundled("without-complex", "spectralNorm", without)).toMatch(
      /^ERR_UNSUPPORTED .*import complexMatrix from spectral-norm/,
    );
    const both = `console.log(spectralNorm(${A}), spectralNorm(complexMatrix([3, 4], [1, 1])));`;
    expect(await bundled("with-complex", "spectralNorm, complexMatrix", both)).toBe("5 5");
  });
});

describe("the command", () => {
  const command = () => join(installed.folder, "node_modules", ".bin", "spectral-norm");
  const call = (input: Uint8Array | undefined, ...args: string[]) => {
    const options = { cwd: installed.folder, shell: process.platform === "win32" };
    const { status, stdout, stderr } = spawnSync(command(), args, { ...options, ...(input && { input }) });
    return { status, stdout: String(stdout), stderr: String(stderr) };
  };
  const file = npy({ descr: "<f8", shape: [2, 3], data: encode("<f8", [3, 0, 0, 0, 4, 0]) });

  it("says the version", () => {
    const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
    expect(call(undefined, "--version")).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("reads a file and standard input", () => {
    const { folder } = installed;
    write(installed, "matrices", {});
    writeFileSync(join(folder, "matrices", "a.npy"), file);
    const fromFile = call(undefined, "norm", "--json", "matrices/a.npy");
    const fromInput = call(file, "norm", "--json", "-");
    expect([fromFile.status, fromFile.stderr, fromInput.status, fromInput.stderr]).toEqual([0, "", 0, ""]);
    const [a, b] = [fromFile, fromInput].map(({ stdout }) => JSON.parse(stdout));
    expect(a).toMatchObject({ file: "matrices/a.npy", rows: 2, cols: 3, dtype: "float64", converged: true });
    expect(a.sigma).toBeCloseTo(4, 14);
    expect({ ...b, file: a.file }).toEqual(a);
  });

  it("audits seven trained models and a safetensors model in two files, to the bits of the sources", async () => {
    const folder = write(installed, "models", {});
    const part = (name: string, dtype: "F32" | "BF16", shape: number[]) => {
      const numbers = Array.from({ length: shape[0] * shape[1] }, (_, k) => Math.sin(k * k));
      return { name, dtype, shape, data: floats(dtype, numbers) };
    };
    writeFileSync(join(folder, "one.safetensors"), safetensors([part("a", "F32", [90, 70])]));
    writeFileSync(join(folder, "two.safetensors"), safetensors([part("b", "BF16", [30, 300])]));
    const index = join(folder, "model.safetensors.index.json");
    writeFileSync(index, JSON.stringify({ weight_map: { a: "one.safetensors", b: "two.safetensors" } }));
    const models = [...manifests, index];
    const { status, stdout, stderr } = call(undefined, "audit", "--json", "--threads", "1", ...models);
    expect([status, stderr.replace(/^(.* tensors? left out: .*\n)+$/, "")]).toEqual([0, ""]);
    expect(stdout).toBe((await auditOf(models, { json: true, threads: 1 })).stdout);
    expect(stdout.split("\n").length).toBe(32 + 32 + 32 + 18 + 30 + 48 + 12 + 2 + 1);
    const page = join(folder, "page.html");
    expect(call(undefined, "audit", index, "--report", page).status).toBe(0);
    expect(readFileSync(page, "utf8")).toMatch(/<svg/);
  });

  it("runs the experiment without a tensor library, and says which rows that costs", () => {
    const small = ["--rows", "4", "--cols", "6", "--runs", "1", "--loops", "1"];
    const { status, stdout } = call(undefined, "experiment", "--json", ...small);
    expect(status).toBe(0);
    const { accuracy, missing } = JSON.parse(stdout);
    expect(accuracy.map(({ engine }: { engine: string }) => engine)).toContain("core");
    expect(missing.join("\n")).toMatch(/TensorFlow\.js|tfjs/);
  });
});

describe("with TensorFlow.js installed", () => {
  const folders = new Map<string, string>();

  beforeAll(() => {
    addPeers(installed, "@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-cpu");
  });

  it.each(["nodenext", "bundler"] as const)("the adapter runs on tfjs-core alone under %s", (resolution) => {
    const folder = write(installed, `tensors-${resolution}`, { "tensors.ts": consumer("tensors") });
    folders.set(resolution, folder);
    compile(installed, folder, resolution, ["es2022", "dom"]);
    const { values, gradients } = resultsOf(folder, "tensors");
    for (const value of values) expect(value).toBeCloseTo(4, 5);
    for (const gradient of gradients)
      gradient.forEach((entry: number, i: number) => {
        expect(entry).toBeCloseTo([0, 0, 0, 1][i], 4);
      });
  });

  it.each(["nodenext", "bundler"] as const)("the adapter type-checks under %s", (resolution) => {
    if (resolution === "nodenext") addPeers(installed, "@tensorflow/tfjs-layers");
    const folder = write(installed, `tensors-${resolution}`, { "tensors.ts": consumer("tensors") });
    // TensorFlow.js' own declarations, and those that they refer to, are not in order.
    const complaints = compile(installed, folder, resolution, ["es2022", "dom"]);
    expect(complaints.filter((complaint) => !isForeign(complaint))).toEqual([]);
  });
});

describe("with jax-js installed", () => {
  beforeAll(() => addPeers(installed, "@jax-js/jax"));

  it.each(["nodenext", "bundler"] as const)("the adapter type-checks and runs under %s", (resolution) => {
    const folder = write(installed, `arrays-${resolution}`, { "arrays.ts": consumer("arrays") });
    const complaints = compile(installed, folder, resolution, ["es2022", "dom", "esnext.disposable"]);
    expect(complaints.filter((complaint) => !isForeign(complaint))).toEqual([]);
    const { values, gradients } = resultsOf(folder, "arrays");
    for (const value of values) expect(value).toBeCloseTo(4, 5);
    for (const gradient of gradients)
      gradient.forEach((entry: number, i: number) => {
        expect(entry).toBeCloseTo([0, 0, 0, 1][i], 5);
      });
  });
});
