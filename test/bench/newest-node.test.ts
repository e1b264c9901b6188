import { expect, it } from "vitest";
import { coreFor } from "../../bench/contenders/openblas.js";
import { newestLts } from "../../bench/newest-node.js";

const versions = ["20.20.2", "24.9.0", "24.22.0", "25.1.0", "26.2.0", "26.12.1", "26.9.0", "28.0.0-rc.1"];

it.each([
  ["2026-11-29", "26.12.1"],
  ["2026-09-30", "24.22.0"],
  ["2026-10-01", "26.12.1"],
  ["2024-01-01", "20.20.2"],
])("on %s the newest LTS is %s", (day, version) => {
  expect(newestLts(versions, new Date(`${day}T12:00:00Z`))).toBe(version);
});

it("there is no LTS among odd releases and prereleases", () => {
  expect(newestLts(["25.1.0", "26.0.0-rc.1"], new Date("2027-01-01"))).toBeUndefined();
});

const old = "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY Prescott MAX_THREADS=64\n";
const flags = (...names: string[]) => `vendor_id : GenuineIntel\nflags\t\t: fpu sse2 ${names.join(" ")}\n`;

it("OpenBLAS is told the processor where it falls back to kernels without AVX", () => {
  expect(coreFor(old, flags("avx2", "avx512f", "avx512vl"))).toBe("SkylakeX");
  expect(coreFor(old, flags("avx2"))).toBe("Haswell");
  expect(coreFor(old, flags("avx2").replace("GenuineIntel", "AuthenticAMD"))).toBe("Zen");
  expect(coreFor(old, flags())).toBeUndefined();
});

it("OpenBLAS is told of AVX-512 where it uses kernels for AVX2", () => {
  for (const known of ["Haswell", "Zen"]) {
    const configuration = old.replace("Prescott", known);
    expect(coreFor(configuration, flags("avx2", "avx512f", "avx512vl"))).toBe("SkylakeX");
    expect(coreFor(configuration, flags("avx2"))).toBeUndefined();
  }
});

it("OpenBLAS is told nothing where it knows the processor, or has one set of kernels", () => {
  const processor = flags("avx2", "avx512f", "avx512vl");
  expect(coreFor(old.replace("Prescott", "Cooperlake"), processor)).toBeUndefined();
  expect(coreFor("OpenBLAS 0.3.21 Prescott", processor)).toBeUndefined();
  expect(coreFor("", processor)).toBeUndefined();
});
