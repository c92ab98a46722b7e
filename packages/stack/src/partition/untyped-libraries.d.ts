// Both are written without types; what is used of them is typed where it is used.
declare module "gpt" {
  const library: unknown;
  export default library;
}

declare module "mbr" {
  const library: unknown;
  export default library;
}
