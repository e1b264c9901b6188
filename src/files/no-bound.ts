/** A node has no Lipschitz constant, or none is known; the message is the reason. The file itself is whole. */
export class NoBound extends Error {}

/** How to say which sizes an input has. */
export const GIVE_SIZES = "give the sizes of the input by --input NAME=1x3x224x224";
