// The Protocol Buffers wire format: tagged fields of varints and length-delimited bytes.
import { EniverseError } from "../../../base/error.ts";

export type WireValue = bigint | Uint8Array;

/**
 * The fields of a message in their order. Throws `invalid_argument` for bytes that are cut short, and for wire types
 * that Kubernetes' objects do not have (fixed32, fixed64, groups).
 */
export function* readFields(bytes: Uint8Array): Generator<readonly [number: number, value: WireValue]> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw broken("the bytes end within a number");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw broken("a number of more than ten bytes");
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (wireType === 0) yield [number, varint()];
    else if (wireType === 2) {
      const length = Number(varint());
      if (at + length > bytes.length) throw broken(`field ${number} is longer than its message`);
      yield [number, bytes.subarray(at, at + length)];
      at += length;
    } else throw broken(`field ${number} has the wire type ${wireType}`);
  }
}

export function broken(found: string): EniverseError {
  return new EniverseError("invalid_argument", { attempted: "read a Protocol Buffers message", found });
}
