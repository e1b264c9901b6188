/** What `norms` can read, by the ends of names; nothing else on the page says so. */
export const accepted: readonly string[] = [".npy", ".npz", ".mtx", ".csv", ".tsv"];
