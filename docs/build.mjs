// For npm run docs (serves the site while it is written), npm run docs:build (writes it to docs/.vitepress/dist).
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { problemsOf } from "./site-check.mjs";

const docs = fileURLToPath(new URL(".", import.meta.url));
const repository = dirname(docs.replace(/[\\/]$/, ""));
const dist = join(docs, ".vitepress", "dist");
const publicFolder = join(docs, "public");
const serve = process.argv.includes("--serve");

/** Runs a program to its end; ends this one where it fails. */
function run(cwd, program, ...args) {
  const { status, error } = spawnSync(program, args, {
    cwd,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** Runs the command of a package that `docs/package-lock.json` has. */
const tool = (path, ...args) => run(docs, process.execPath, join(docs, "node_modules", path), ...args);

/** Files that pages link to and that are no pages: they are copied to where the links lead. */
function linkedFiles() {
  const files = new Set();
  for (const page of pages())
    for (const [, target] of readFileSync(page, "utf8").matchAll(/\]\(([^)\s#]+)(?:#[^)\s]*)?\)/g)) {
      if (/^[a-z]+:|^\/|\.md$|\/$/i.test(target)) continue;
      const file = resolve(dirname(page), target);
      // Pictures are bundled by VitePress.
      if (/\.(png|svg|jpe?g|gif|webp)$/i.test(file) || !file.startsWith(docs) || !existsSync(file)) continue;
      files.add(file);
    }
  return files;
}

function pages() {
  return readdirSync(docs, { recursive: true, encoding: "utf8" })
    .filter(
      (path) => path.endsWith(".md") && !/(^|[\\/])(node_modules|public|api|\.vitepress)[\\/]/.test(path),
    )
    .map((path) => join(docs, path));
}

run(repository, "npm", "ci", "--prefix", docs, "--no-audit", "--no-fund");
rmSync(join(docs, "api"), { recursive: true, force: true });
tool("typedoc/bin/typedoc", "--options", "typedoc.json");

rmSync(publicFolder, { recursive: true, force: true });
mkdirSync(publicFolder);
cpSync(join(repository, "page", "dist"), join(publicFolder, "live"), { recursive: true });
const extras = linkedFiles();
for (const file of extras) cpSync(file, join(publicFolder, file.slice(docs.length)));
// VitePress takes a link for one to a page unless it knows the extension.
process.env.VITE_EXTRA_EXTENSIONS = [...new Set([...extras].map((file) => extname(file).slice(1)))].join(",");

if (serve) {
  tool("vitepress/bin/vitepress.js", "dev", ".");
} else {
  tool("vitepress/bin/vitepress.js", "build", ".");
  const problems = problemsOf(dist, process.env.DOCS_BASE ?? "/");
  for (const problem of problems) console.error(`docs: ${problem}`);
  if (problems.length > 0) process.exit(1);
  console.log(
    `docs: written to ${basename(docs)}/.vitepress/dist, nothing in it is requested from elsewhere`,
  );
}
