import type { Network } from "../files/network.js";

/**
 * Slopes ‖f(x) − f(y)‖₂/‖x − y‖₂ of a network's outputs, which are not above their Lipschitz constants.
 *
 * @returns by the names of outputs; undefined, since no model is run yet
 */
export function lowerBounds(_file: string, _network: Network): ReadonlyMap<string, number> | undefined {
  return undefined;
}
