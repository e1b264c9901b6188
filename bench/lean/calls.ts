// Resident memory while small calls go on and on; run with --expose-gc.
import { createRandom } from "../../src/numerics/random.js";
import { importCore } from "../contenders/core.js";

const [dist, wanted] = process.argv.slice(2);
const core = await importCore(dist);
const random = createRandom(0);
const singles = Float32Array.from({ length: 64 }, () => random.normal());
const doubles = Float64Array.from({ length: 96 }, () => random.normal());
const small = { data: singles, shape: [8, 8] } as const;
const oblong = { data: doubles, shape: [8, 12] } as const;
const round = [
  () => core.valueAndGrad(small),
  () => core.spectralNorm(oblong),
  () => core.singularTriplet(oblong, { method: "lanczos" }),
  () => core.valueAndGrad(oblong, { rtol: 1e-3 }),
  () => core.svdvals(small),
];

const resident: number[] = [];
const weigh = () => {
  globalThis.gc?.();
  globalThis.gc?.();
  resident.push(process.memoryUsage.rss());
};
const calls = Number(wanted);
const parts = 10;
// The first tenth lets the heap and the compiled code reach their size.
for (let part = 0; part <= parts; part++) {
  for (let call = 0; call < calls / parts; call++) round[call % round.length]();
  weigh();
}
console.log(JSON.stringify({ calls, resident }));
