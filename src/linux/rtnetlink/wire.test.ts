import { describe, expect, test } from "bun:test";
import { parseCidr } from "../../addr/cidr.ts";
import { parseIpv4 } from "../../addr/ipv4.ts";
import { parseIpv6 } from "../../addr/ipv6.ts";
import { parseMac } from "../../addr/mac.ts";
import type { NetlinkRequest } from "../netlink/conversation.ts";
import { encodeMessage, messageFlag } from "../netlink/message.ts";
import { addAddressRequest, deleteAddressRequest } from "./address.ts";
import captures from "./ip-captures.json" with { type: "json" };
import {
  addMacvlanRequest,
  addVethRequest,
  deleteLinkGroupRequest,
  deleteLinkRequest,
  setLinkRequest,
} from "./link.ts";
import { deleteNeighbourRequest, replaceNeighbourRequest } from "./neighbour.ts";
import { addRouteRequest, deleteRouteRequest, replaceRouteRequest } from "./route.ts";
import { addRuleRequest, deleteRuleRequest } from "./rule.ts";
import { routeProtocol, routeTable } from "./values.ts";

const veth0 = 3;
const lo = 1;
const gateway = parseIpv4("169.254.1.1");

/** Our request for each command of ip-captures.sh. */
const requests: Readonly<Record<keyof typeof captures, NetlinkRequest>> = {
  "ip link add name veth0 address 02:00:00:00:00:01 mtu 9001 txqueuelen 0 type veth peer name veth1 address 02:00:00:00:00:02 mtu 9001":
    addVethRequest({
      name: "veth0",
      mac: parseMac("02:00:00:00:00:01"),
      mtu: 9001,
      txQueueLength: 0,
      peer: { name: "veth1", mac: parseMac("02:00:00:00:00:02"), mtu: 9001 },
    }),
  "ip link set dev veth0 up": setLinkRequest(veth0, { up: true }),
  "ip link set dev veth0 down": setLinkRequest(veth0, { up: false }),
  "ip link set dev veth0 mtu 1500": setLinkRequest(veth0, { mtu: 1500 }),
  "ip link set dev veth0 address 02:00:00:00:00:09": setLinkRequest(veth0, {
    mac: parseMac("02:00:00:00:00:09"),
  }),
  "ip link set dev veth0 name veth2": setLinkRequest(veth0, { name: "veth2" }),
  "ip link set dev veth0 alias hello": setLinkRequest(veth0, { alias: "hello" }),
  "ip link add link veth0 name mv0 type macvlan mode vepa": addMacvlanRequest({
    name: "mv0",
    parentIndex: veth0,
    mode: "vepa",
  }),
  "ip link delete dev mv0": deleteLinkRequest(4),
  "ip link set dev veth0 group 7": setLinkRequest(veth0, { group: 7 }),
  "ip link delete group 7": deleteLinkGroupRequest(7),
  "ip address add 10.0.0.5/24 dev veth0": addAddressRequest({
    interfaceIndex: veth0,
    address: parseIpv4("10.0.0.5"),
    bits: 24,
  }),
  "ip address add 10.0.1.5/32 dev veth0 noprefixroute": addAddressRequest({
    interfaceIndex: veth0,
    address: parseIpv4("10.0.1.5"),
    bits: 32,
    noPrefixRoute: true,
  }),
  "ip address delete 10.0.0.5/24 dev veth0": deleteAddressRequest({
    interfaceIndex: veth0,
    address: parseIpv4("10.0.0.5"),
    bits: 24,
  }),
  "ip address add fd00::5/64 dev veth0 nodad": addAddressRequest({
    interfaceIndex: veth0,
    address: parseIpv6("fd00::5"),
    bits: 64,
    noDad: true,
  }),
  "ip address add 127.0.0.9/8 dev lo": addAddressRequest({
    interfaceIndex: lo,
    address: parseIpv4("127.0.0.9"),
    bits: 8,
  }),
  "ip route add 10.1.0.0/16 dev veth0": addRouteRequest({
    destination: parseCidr("10.1.0.0/16"),
    interfaceIndex: veth0,
  }),
  "ip route add 169.254.1.1/32 dev veth0 scope link": addRouteRequest({
    destination: parseCidr("169.254.1.1/32"),
    interfaceIndex: veth0,
    scope: "link",
  }),
  "ip route add default via 169.254.1.1 dev veth0": addRouteRequest({
    destination: parseCidr("0.0.0.0/0"),
    gateway,
    interfaceIndex: veth0,
  }),
  "ip route add default via 10.9.0.1 dev veth0 onlink table 1002 metric 50": addRouteRequest({
    destination: parseCidr("0.0.0.0/0"),
    gateway: parseIpv4("10.9.0.1"),
    interfaceIndex: veth0,
    onlink: true,
    table: 1002,
    metric: 50,
  }),
  "ip route replace 10.2.0.0/16 via 169.254.1.1 dev veth0 src 10.0.1.5 mtu 1400 proto static":
    replaceRouteRequest({
      destination: parseCidr("10.2.0.0/16"),
      gateway,
      interfaceIndex: veth0,
      source: parseIpv4("10.0.1.5"),
      mtu: 1400,
      protocol: routeProtocol.static,
    }),
  "ip route add blackhole 10.3.0.0/16": addRouteRequest({
    destination: parseCidr("10.3.0.0/16"),
    type: "blackhole",
  }),
  "ip route add unreachable 10.4.0.0/16 table 7": addRouteRequest({
    destination: parseCidr("10.4.0.0/16"),
    type: "unreachable",
    table: 7,
  }),
  "ip route add local 10.5.0.0/16 dev lo table 100": addRouteRequest({
    destination: parseCidr("10.5.0.0/16"),
    type: "local",
    interfaceIndex: lo,
    table: 100,
  }),
  "ip route delete 10.1.0.0/16 dev veth0": deleteRouteRequest({
    destination: parseCidr("10.1.0.0/16"),
    interfaceIndex: veth0,
  }),
  "ip -6 route add fd01::/64 via fd00::1 dev veth0 table 300": addRouteRequest({
    destination: parseCidr("fd01::/64"),
    gateway: parseIpv6("fd00::1"),
    interfaceIndex: veth0,
    table: 300,
  }),
  "ip -6 route add fe80::1/128 dev veth0": addRouteRequest({
    destination: parseCidr("fe80::1/128"),
    interfaceIndex: veth0,
  }),
  "ip -6 route delete fd01::/64 table 300": deleteRouteRequest({
    destination: parseCidr("fd01::/64"),
    table: 300,
  }),
  "ip route add 10.8.0.0/16 via inet6 fe80::7 dev veth0": addRouteRequest({
    destination: parseCidr("10.8.0.0/16"),
    gateway: parseIpv6("fe80::7"),
    interfaceIndex: veth0,
  }),
  "ip rule add from 10.0.1.5 lookup 2 priority 1536": addRuleRequest({
    family: 4,
    from: parseCidr("10.0.1.5/32"),
    table: 2,
    priority: 1536,
  }),
  "ip rule add to 10.0.1.5/32 lookup main priority 512": addRuleRequest({
    family: 4,
    to: parseCidr("10.0.1.5/32"),
    table: routeTable.main,
    priority: 512,
  }),
  "ip rule add fwmark 0x80/0x80 lookup main priority 1024": addRuleRequest({
    family: 4,
    fwmark: 0x80,
    fwmask: 0x80,
    table: routeTable.main,
    priority: 1024,
  }),
  "ip rule add iif veth0 lookup 1101 priority 10": addRuleRequest({
    family: 4,
    iif: "veth0",
    table: 1101,
    priority: 10,
  }),
  "ip rule add not from 10.7.0.0/16 oif veth0 blackhole priority 11": addRuleRequest({
    family: 4,
    invert: true,
    from: parseCidr("10.7.0.0/16"),
    oif: "veth0",
    action: "blackhole",
    priority: 11,
  }),
  "ip -6 rule add from fe80:ec2::1/128 ipproto ipv6-icmp lookup local priority 0": addRuleRequest({
    family: 6,
    from: parseCidr("fe80:ec2::1/128"),
    ipProtocol: 58,
    table: routeTable.local,
    priority: 0,
  }),
  "ip rule add lookup main suppress_prefixlength 0 priority 12": addRuleRequest({
    family: 4,
    table: routeTable.main,
    suppressPrefixLength: 0,
    priority: 12,
  }),
  "ip rule delete from 10.0.1.5 lookup 2 priority 1536": deleteRuleRequest({
    family: 4,
    from: parseCidr("10.0.1.5/32"),
    table: 2,
    priority: 1536,
  }),
  "ip neighbour replace 169.254.1.1 lladdr 02:00:00:00:00:02 nud permanent dev veth0":
    replaceNeighbourRequest({
      interfaceIndex: veth0,
      address: gateway,
      mac: parseMac("02:00:00:00:00:02"),
    }),
  "ip neighbour replace proxy 10.0.0.77 dev veth0": replaceNeighbourRequest({
    interfaceIndex: veth0,
    address: parseIpv4("10.0.0.77"),
    proxy: true,
  }),
  "ip neighbour delete 169.254.1.1 dev veth0": deleteNeighbourRequest({
    interfaceIndex: veth0,
    address: gateway,
  }),
};

/** Four bytes a row, so that a difference shows where it is. */
function rows(bytes: Uint8Array): string[] {
  return (
    Buffer.from(bytes)
      .toString("hex")
      .match(/.{1,8}/g) ?? []
  );
}

describe("the bytes of the real ip", () => {
  for (const [command, hex] of Object.entries(captures)) {
    test(command, () => {
      const request = requests[command as keyof typeof captures];
      // We ask for an echo of new links; `ip` does not.
      const flags = (request.flags & ~messageFlag.echo) | messageFlag.request | messageFlag.ack;
      const ours = encodeMessage({ type: request.type, flags, sequence: 0, port: 0, body: request.body });
      expect(rows(ours)).toEqual(rows(Buffer.from(hex, "hex")));
    });
  }
});
