import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ipv4 } from "../addr/ipv4.ts";
import { ipv6, parseIpv6 } from "../addr/ipv6.ts";
import { decodeEchoReply, encodeEchoRequest, internetChecksum } from "./icmp.ts";
import { decodeSockaddr, type Endpoint, encodeSockaddr } from "./sockaddr.ts";

describe("socket addresses", () => {
  test("read back", () => {
    const port = fc.integer({ min: 0, max: 65535 });
    const v4 = fc.record({ address: fc.integer({ min: 0, max: 0xffffffff }).map(ipv4), port });
    const v6 = fc.record({ address: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map(ipv6), port });
    fc.assert(
      fc.property(fc.oneof(v4, v6), (endpoint) => {
        expect(decodeSockaddr(encodeSockaddr(endpoint))).toEqual(endpoint as Endpoint);
      }),
    );
    const local: Endpoint = { address: parseIpv6("fe80::1"), port: 80, scopeId: 7 };
    expect(decodeSockaddr(encodeSockaddr(local))).toEqual(local);
    expect(decodeSockaddr(new Uint8Array(28))).toBeUndefined();
  });

  test("have the port in network order", () => {
    expect([...encodeSockaddr({ address: ipv4(0x0a000001), port: 443 })].slice(2, 8)).toEqual([
      1, 187, 10, 0, 0, 1,
    ]);
  });
});

describe("ICMP echo", () => {
  test("the checksum of RFC 1071's example", () => {
    expect(internetChecksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(0x220d);
  });

  test("a request is summed up; its reply is told from other packets", () => {
    const echo = { identifier: 0x1234, sequence: 7, payload: Uint8Array.of(1, 2, 3) };
    const request = encodeEchoRequest(4, echo);
    expect(internetChecksum(request)).toBe(0);
    const reply = Uint8Array.from(request);
    reply[0] = 0;
    const ipHeader = new Uint8Array(24);
    // Version 4, six words: a header with options.
    ipHeader[0] = 0x46;
    const packet = new Uint8Array([...ipHeader, ...reply]);
    expect(decodeEchoReply(4, packet)).toEqual(echo);
    expect(decodeEchoReply(4, new Uint8Array([...ipHeader, ...request]))).toBeUndefined();
    expect(decodeEchoReply(4, packet.subarray(0, 30))).toBeUndefined();
    const v6 = encodeEchoRequest(6, echo);
    expect(v6[0]).toBe(128);
    v6[0] = 129;
    expect(decodeEchoReply(6, v6)).toEqual(echo);
  });
});
