/** `npm run example:h-infinity`: prints the H∞ norms of systems beside their closed forms. */
import { hInfinityNorm } from "./h-infinity.js";
import { highPass, lag, resonance, rod, rotor } from "./systems.js";

export function main(): void {
  console.log("system".padEnd(32), "H∞ norm".padEnd(20), "at ω".padEnd(20), "relative error");
  for (const { name, system, norm } of [
    lag(0.5),
    highPass(),
    resonance(0.3),
    resonance(0.01),
    rotor(0.25, 2),
    rod(72),
  ]) {
    const points = name.startsWith("heat") ? 20 : 400;
    const { sigma, omega } = hInfinityNorm(system, { points });
    const error = Math.abs(sigma / norm - 1).toExponential(1);
    console.log(name.padEnd(32), String(sigma).padEnd(20), String(omega).padEnd(20), error);
  }
}
