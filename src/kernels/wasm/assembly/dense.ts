export * from "./eigen";
export * from "./load";
