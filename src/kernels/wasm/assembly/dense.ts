export * from "./eigen";
export * from "./load";
export * from "./svd";
