export * from "./products";
