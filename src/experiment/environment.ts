import { availableParallelism, cpus } from "node:os";
import { kernelInfo } from "../index.js";
import { version } from "./bundled-versions.js";
import type { Environment } from "./result.js";

/** The machine and software of the run. */
export function environment(versions: Readonly<Record<string, string>>): Environment {
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() || "unknown",
    cores: availableParallelism(),
    kernels: kernelInfo().name,
    versions: { "spectral-norm": version("spectral-norm"), ...versions },
    date: new Date().toISOString(),
  };
}
