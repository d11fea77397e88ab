import { EniverseError } from "../../base/error.ts";

/**
 * What goes over cni.sock between the relay and ipamd: one request and one response per connection, numbers in
 * network order.
 *
 *     request   "CNI1"  u32 length of the environment  u32 length of standard input
 *               environment: each variable as NAME=VALUE and a zero byte
 *               standard input
 *     response  "CNI1"  u32 exit code  u32 length of standard output
 *               standard output
 *
 * `relay.c` has the same words in C; `relay-contract.test.ts` holds the two together.
 */

/** One call of a CNI plugin. */
export interface CniRequest {
  /** The CNI_* variables of the plugin's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
}

/** What the plugin does in answer. */
export interface CniResponse {
  readonly exitCode: number;
  readonly stdout: string;
}

/** Where ipamd listens for the relay. */
export const cniSocket = "/var/run/aws-node/cni.sock";

/** No part of a frame may be longer (bytes); a network configuration with a prevResult has some kilobytes. */
export const maxPartBytes = 16 * 1024 * 1024;

const magic = 0x434e4931;
const headerBytes = 12;

export function encodeRequest(request: CniRequest): Uint8Array {
  const variables = Object.entries(request.env).map(([name, value]) => `${name}=${value}\0`);
  return frame(new TextEncoder().encode(variables.join("")), request.stdin);
}

/** Reads a whole request; undefined while bytes are missing; throws `invalid_argument` for anything else. */
export function decodeRequest(bytes: Uint8Array): CniRequest | undefined {
  const header = readHeader(bytes, "read a request on the CNI socket", 2);
  if (header === undefined) return undefined;
  const [envLength, stdinLength] = header;
  if (bytes.length < headerBytes + envLength + stdinLength) return undefined;
  const stdinStart = headerBytes + envLength;
  const text = new TextDecoder().decode(bytes.subarray(headerBytes, stdinStart));
  const env: Record<string, string> = {};
  for (const variable of text.split("\0")) {
    const equals = variable.indexOf("=");
    if (equals > 0) env[variable.slice(0, equals)] = variable.slice(equals + 1);
  }
  return { env, stdin: bytes.slice(stdinStart, stdinStart + stdinLength) };
}

export function encodeResponse(response: CniResponse): Uint8Array {
  const stdout = new TextEncoder().encode(response.stdout);
  const bytes = new Uint8Array(headerBytes + stdout.length);
  writeHeader(bytes, response.exitCode, stdout.length);
  bytes.set(stdout, headerBytes);
  return bytes;
}

/** As {@link decodeRequest}, for a response. */
export function decodeResponse(bytes: Uint8Array): CniResponse | undefined {
  const header = readHeader(bytes, "read a response on the CNI socket", 1);
  if (header === undefined) return undefined;
  const [exitCode, length] = header;
  if (bytes.length < headerBytes + length) return undefined;
  return { exitCode, stdout: new TextDecoder().decode(bytes.subarray(headerBytes, headerBytes + length)) };
}

function frame(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headerBytes + first.length + second.length);
  writeHeader(bytes, first.length, second.length);
  bytes.set(first, headerBytes);
  bytes.set(second, headerBytes + first.length);
  return bytes;
}

function writeHeader(bytes: Uint8Array, first: number, second: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(0, magic);
  view.setUint32(4, first);
  view.setUint32(8, second);
}

/** The two numbers of a header; `lengths` says how many of them, from the last, are lengths. */
function readHeader(bytes: Uint8Array, attempted: string, lengths: 1 | 2): [number, number] | undefined {
  if (bytes.length < headerBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [first, second] = [view.getUint32(4), view.getUint32(8)];
  if (view.getUint32(0) !== magic) {
    throw new EniverseError("invalid_argument", {
      attempted,
      found: `the bytes ${[...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}`,
      wanted: "a frame that starts with CNI1",
    });
  }
  if (second > maxPartBytes || (lengths === 2 && first > maxPartBytes)) {
    throw new EniverseError("invalid_argument", {
      attempted,
      found: `lengths of ${first} and ${second} bytes`,
      wanted: `at most ${maxPartBytes} bytes each`,
    });
  }
  return [first, second];
}
