import { execFileSync } from "node:child_process";
import { delimiter, join } from "node:path";

/** The Python of the PATH that has the most of the libraries, the first one of several. */
export function findPython(): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin"];
  const count =
    "from importlib.util import find_spec; print(sum(find_spec(n) is not None for n in ('torch', 'scipy')))";
  const pythons = [...new Set(folders.map((folder) => join(folder, "python3")))].map((path) => {
    try {
      return {
        path,
        libraries: Number(execFileSync(path, ["-c", count], { stdio: ["ignore", "pipe", "ignore"] })),
      };
    } catch {
      return { path, libraries: 0 };
    }
  });
  const most = Math.max(...pythons.map(({ libraries }) => libraries));
  return most === 0 ? undefined : pythons.find(({ libraries }) => libraries === most)?.path;
}
