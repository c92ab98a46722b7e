export { decryptBlocks } from "./serpent/decrypt";
export { encryptBlocks } from "./serpent/encrypt";
