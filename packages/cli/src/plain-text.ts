/** Text of somebody else's, which may not end the line, nor move the cursor. */
export const plain = (text: string): string => text.replaceAll(/\p{Cc}/gu, "?");
