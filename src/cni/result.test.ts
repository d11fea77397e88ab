import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type CniResult, formatResult, parseResult } from "./result.ts";
import { specVersions } from "./version.ts";

const pod: CniResult = {
  interfaces: [
    { name: "enicc21c2d7785" },
    { name: "eth0", mac: "254", sandbox: "/var/run/netns/cni-1" },
    { name: "dummycc21c2d7785", mac: "0", sandbox: "0" },
  ],
  ips: [{ interface: 1, address: "10.0.1.17/32" }],
  routes: [],
  dns: {},
};

describe("results of every version", () => {
  test("0.4.0 names the family of each address", () => {
    expect(JSON.stringify(formatResult(pod, "0.4.0"))).toBe(
      '{"cniVersion":"0.4.0","interfaces":[{"name":"enicc21c2d7785"},' +
        '{"name":"eth0","mac":"254","sandbox":"/var/run/netns/cni-1"},' +
        '{"name":"dummycc21c2d7785","mac":"0","sandbox":"0"}],' +
        '"ips":[{"version":"4","interface":1,"address":"10.0.1.17/32"}],"dns":{}}',
    );
  });

  test("1.0.0 does not, and 1.1.0 adds device and route attributes", () => {
    expect(formatResult(pod, "1.0.0").ips).toEqual([{ interface: 1, address: "10.0.1.17/32" }]);
    const rich: CniResult = {
      ...pod,
      interfaces: [{ name: "eth0", mtu: 9001 }],
      routes: [{ dst: "0.0.0.0/0", gw: "169.254.1.1", mtu: 1500 }],
    };
    expect(formatResult(rich, "1.1.0").interfaces).toEqual([{ name: "eth0", mtu: 9001 }]);
    expect(formatResult(rich, "1.1.0").routes).toEqual([{ dst: "0.0.0.0/0", gw: "169.254.1.1", mtu: 1500 }]);
    expect(formatResult(rich, "1.0.0").interfaces).toEqual([{ name: "eth0" }]);
    expect(formatResult(rich, "1.0.0").routes).toEqual([{ dst: "0.0.0.0/0", gw: "169.254.1.1" }]);
  });

  test("0.2.0 has one address of each family with its routes", () => {
    const dual: CniResult = {
      ...pod,
      ips: [
        { interface: 1, address: "fd00::2/118", gateway: "fd00::1" },
        { interface: 1, address: "10.0.1.17/32" },
        { interface: 1, address: "10.0.1.18/32" },
      ],
      routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0", gw: "fd00::1" }],
    };
    expect(formatResult(dual, "0.2.0")).toEqual({
      cniVersion: "0.2.0",
      ip4: { ip: "10.0.1.17/32", routes: [{ dst: "0.0.0.0/0" }] },
      ip6: { ip: "fd00::2/118", gateway: "fd00::1", routes: [{ dst: "::/0", gw: "fd00::1" }] },
      dns: {},
    });
    expect(() => formatResult({ ...pod, ips: [] }, "0.1.0")).toThrow("no valid IP addresses");
  });

  const octet = fc.nat(255);
  const address = fc
    .tuple(octet, octet, fc.nat(32))
    .map(([high, low, bits]) => `10.${high}.${low}.1/${bits}`);
  const name = fc.stringMatching(/^[a-z][a-z0-9]{0,14}$/);
  const result: fc.Arbitrary<CniResult> = fc.record({
    interfaces: fc.array(fc.record({ name, sandbox: name }), { maxLength: 4 }),
    ips: fc.array(fc.record({ interface: fc.nat(4), address }), { minLength: 1, maxLength: 1 }),
    routes: fc.array(fc.record({ dst: address }), { maxLength: 3 }),
    dns: fc.record({ domain: name }),
  });

  test("what a version can say is read back from it", () => {
    fc.assert(
      fc.property(result, fc.constantFrom(...specVersions), (made, version) => {
        const old = version === "0.1.0" || version === "0.2.0";
        const expected = old
          ? { ...made, interfaces: [], ips: made.ips.map((ip) => ({ address: ip.address })) }
          : made;
        expect(parseResult(formatResult(made, version), version)).toEqual(expected);
      }),
    );
  });

  test("a wrong type is an error that names the place", () => {
    expect(() => parseResult({ ips: [{ address: "10.0.0.1" }] }, "0.4.0")).toThrow("ips[0].address");
    expect(() => parseResult({ interfaces: ["eth0"] }, "0.4.0")).toThrow("interfaces[0]");
    expect(() => parseResult([], "0.4.0")).toThrow("the result");
  });
});
