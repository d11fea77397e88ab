// How gRPC packs a message into an HTTP/2 stream.
const prefixBytes = 5;

/** A message behind its prefix: one byte "not compressed" and the length as u32. */
export function frame(message: Uint8Array): Buffer {
  const bytes = Buffer.alloc(prefixBytes + message.length);
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, prefixBytes);
  return bytes;
}

/** The only message of `bytes`; undefined when it is another number of them, or compressed. */
export function unframe(bytes: Buffer): Buffer | undefined {
  if (bytes.length < prefixBytes || bytes[0] !== 0) return undefined;
  return bytes.readUInt32BE(1) === bytes.length - prefixBytes ? bytes.subarray(prefixBytes) : undefined;
}
