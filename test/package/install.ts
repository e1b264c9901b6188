import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../..", import.meta.url));
const compiler = join(repository, "node_modules", "typescript", "bin", "tsc");

/** A folder in which a stranger has installed the package, and nothing else. */
export interface Installed {
  readonly folder: string;
  /** paths of the files in the tarball */
  readonly packed: readonly string[];
  readonly tarballBytes: number;
  /** path of the tarball */
  readonly tarball: string;
}

/** Settings of an npm that this may run under are not the stranger's. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
}

/** Runs npm in a folder, and returns what it printed. */
export function npm(cwd: string, ...args: string[]): string {
  const options = { cwd, encoding: "utf8", env: cleanEnvironment(), stdio: "pipe" } as const;
  return execFileSync("npm", args, { ...options, shell: process.platform === "win32" });
}

/** Packs the built repository and installs the tarball in an empty folder, without a network. */
export function install(): Installed {
  const folder = mkdtempSync(join(tmpdir(), "spectral-norm-"));
  const [{ filename, files, size }] = JSON.parse(
    npm(repository, "pack", "--json", "--ignore-scripts", "--pack-destination", folder),
  );
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "stranger", type: "module" }));
  npm(folder, "install", "--offline", "--no-audit", "--no-fund", `./${filename}`);
  return {
    folder,
    packed: files.map(({ path }: { path: string }) => path),
    tarballBytes: size,
    tarball: join(folder, filename),
  };
}

/** Whether a complaint of the compiler is about declarations of another package than this. */
export function isForeign(complaint: string): boolean {
  const [path] = complaint.split("(");
  return path.includes("node_modules/") && !path.includes("node_modules/spectral-norm/");
}

/** Gives the folder packages that this repository has installed. */
export function addPeers({ folder }: Installed, ...names: string[]): void {
  for (const name of names) {
    const place = join(folder, "node_modules", name);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(join(repository, "node_modules", name), place, "junction");
  }
}

export function remove({ folder }: Installed): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Writes the files into a folder beside the installed package; returns that folder. */
export function write({ folder }: Installed, name: string, files: Readonly<Record<string, string>>): string {
  const target = join(folder, name);
  mkdirSync(target, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(target, file), text);
  return target;
}

export type Resolution = "nodenext" | "bundler";

/**
 * Compiles the TypeScript files of a folder as strictly as can be, declarations included, into `out`
 * beside them.
 *
 * @returns the compiler's complaints, each beginning with a path from the installing folder
 */
export function compile(
  { folder }: Installed,
  sources: string,
  resolution: Resolution,
  lib: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
): string[] {
  const compilerOptions = {
    target: "es2022",
    lib,
    types: [],
    module: resolution === "bundler" ? "esnext" : resolution,
    moduleResolution: resolution,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    outDir: "out",
    ...more,
  };
  const project = join(sources, "tsconfig.json");
  writeFileSync(project, JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  const { stdout, error } = spawnSync(process.execPath, [compiler, "-p", project, "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
  });
  if (error) throw error;
  return stdout.split(/\n(?! )/).filter((complaint) => complaint.trim() !== "");
}

/** Runs a module in the folder and returns what it printed; throws with its complaint if it fails. */
export function run(cwd: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`node ${args.join(" ")}\n${stderr}`);
  return stdout;
}
