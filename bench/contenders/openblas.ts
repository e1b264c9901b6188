import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Cores whose kernels use AVX-512. */
const AVX512_CORE = /\b(SkylakeX|Cooperlake|SapphireRapids)\b/i;
/** Cores whose kernels use AVX2. */
const AVX2_CORE = /\b(Haswell|Zen)\b/i;

/** Prints what NumPy's OpenBLAS says of itself. */
const CONFIGURATION = `
import numpy, re, ctypes
for path in set(re.findall(r"/\\S*openblas\\S*", open("/proc/self/maps").read())):
    for suffix in ("", "64_"):
        try:
            config = getattr(ctypes.CDLL(path), "openblas_get_config" + suffix)
            config.restype = ctypes.c_char_p
            print(config().decode())
        except Exception:
            pass
`;

/**
 * The name of a core that OpenBLAS should be told by OPENBLAS_CORETYPE: an OpenBLAS older than the processor does not
 * know it and uses kernels without AVX or without AVX-512. Undefined if it knows better, or where this cannot be found
 * out.
 */
export function coreToName(python: string): string | undefined {
  try {
    const configuration = execFileSync(python, ["-c", CONFIGURATION], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return coreFor(configuration, readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return undefined;
  }
}

/** @param processor  as /proc/cpuinfo describes it */
export function coreFor(configuration: string, processor: string): string | undefined {
  if (!/OpenBLAS.*DYNAMIC_ARCH/.test(configuration) || AVX512_CORE.test(configuration)) return undefined;
  const has = (flag: string) => new RegExp(`^flags.*\\b${flag}\\b`, "m").test(processor);
  if (has("avx512f") && has("avx512vl")) return "SkylakeX";
  if (!has("avx2") || AVX2_CORE.test(configuration)) return undefined;
  return /AuthenticAMD/.test(processor) ? "Zen" : "Haswell";
}
