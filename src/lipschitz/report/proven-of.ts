/** What a proof of a network's bound is of. */
export const PROVEN_OF = "the network in exact real arithmetic on the weights as stored";
