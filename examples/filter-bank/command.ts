/** `npm run example:filter-bank`: prints the frame bounds of filter banks beside their closed forms. */
import { daubechies, echo, hannWindow, sineWindow, windowed } from "./banks.js";
import { lowerFrameBound, upperFrameBound } from "./filter-bank.js";

export function main(): void {
  console.log("bank".padEnd(34), "upper bound".padEnd(20), "error".padEnd(9), "lower bound");
  for (const { name, bank, upper } of [
    daubechies(),
    echo(0.5, 1),
    windowed("sine window, 16 channels", sineWindow(16), 16, 8),
    windowed("Hann window, 16 channels", hannWindow(16), 16, 8),
    windowed("Hann window, 16 channels, 4 apart", hannWindow(16), 16, 4),
  ]) {
    const { bound } = upperFrameBound(bank);
    const error = Math.abs(bound / upper - 1).toExponential(1);
    const lower = lowerFrameBound(bank).toFixed(6);
    console.log(name.padEnd(34), String(bound).padEnd(20), error.padEnd(9), lower);
  }
}
