import { EniverseError } from "../base/error.ts";
import type { Random } from "../base/random.ts";

/** A MAC address in canonical text: six lower-case pairs with colons. */
export type Mac = string & { readonly __mac: true };

export function parseMac(text: string): Mac {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) {
    throw new EniverseError("invalid_argument", {
      attempted: "read a MAC address",
      found: JSON.stringify(text),
      wanted: "six pairs of hexadecimal digits with colons between, as 02:1c:ff:00:00:01",
    });
  }
  return text.toLowerCase() as Mac;
}

export function macBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(":"), (pair) => Number.parseInt(pair, 16));
}

export function macFromBytes(bytes: Uint8Array): Mac {
  return Array.from(bytes.subarray(0, 6), (byte) => byte.toString(16).padStart(2, "0")).join(":") as Mac;
}

/** A random unicast address of the locally administered range: first byte `|= 2`, `&= 0xfe`. */
export function randomMac(random: Random): Mac {
  const bytes = Uint8Array.from({ length: 6 }, () => random.int(256));
  bytes[0] = ((bytes[0] ?? 0) | 0x02) & 0xfe;
  return macFromBytes(bytes);
}
