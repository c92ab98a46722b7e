// Both are written without types; what is used of them is typed where it is used.
declare module "gpt";
declare module "mbr";
