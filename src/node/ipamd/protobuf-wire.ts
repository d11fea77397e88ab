import { EniverseError } from "../../base/error.ts";

/** A field of a protobuf message as it stands on the wire; `bytes` for texts and messages, `value` for varints. */
export interface Field {
  readonly number: number;
  readonly bytes?: Buffer;
  readonly value?: bigint;
}

/** Splits a message into its fields; fixed-size ones are skipped. Throws `invalid_argument`. */
export function readFields(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new EniverseError("invalid_argument", {
      attempted: "read a protobuf message",
      found: "a number that is cut short",
    });
  };
  while (at < message.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    switch (tag & 7) {
      case 0:
        fields.push({ number, value: varint() });
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = Number(varint());
        fields.push({ number, bytes: message.subarray(at, at + length) });
        at += length;
        break;
      }
      default:
        at += 4;
    }
  }
  return fields;
}

export function writeBytes(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([writeVarint((number << 3) | 2), writeVarint(bytes.length), bytes]);
}

export function writeText(number: number, text: string): Buffer {
  return writeBytes(number, Buffer.from(text));
}

export function writeVarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
