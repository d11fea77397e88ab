import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { parseIpv4 } from "../addr/ipv4.ts";
import { parseIpv6 } from "../addr/ipv6.ts";
import { type PodInterface, setUpPodNetwork, tearDownPodNetwork } from "./pod-network.ts";
import { TestBed } from "./test-bed.ts";

let bed: TestBed;
const live = describe.skipIf(process.getuid?.() !== 0);

const web: PodInterface = {
  index: 0,
  hostName: "enicc21c2d7785",
  containerName: "eth0",
  address: parseIpv4("10.0.1.17"),
  routeTable: 2,
  mtu: 9001,
};

live("the network of an ordinary pod", () => {
  beforeEach(() => {
    bed = new TestBed();
  });
  afterEach(() => bed[Symbol.dispose]());

  test("S52: stands as the official CNI makes it, one rule each way, and carries packets", async () => {
    const pod = bed.netns("pod");
    await setUpPodNetwork(bed.host, pod.path, [web]);

    expect(bed.ip(pod, "-4", "route")).toEqual([
      "169.254.1.1 dev eth0 scope link",
      "default via 169.254.1.1 dev eth0",
    ]);
    expect(bed.ip(pod, "-o", "-4", "addr", "show", "dev", "eth0")[0]).toContain(
      "inet 10.0.1.17/32 scope global eth0",
    );
    const hostMac = bed.host.rt.linkByName(web.hostName)?.mac;
    expect(bed.ip(pod, "neigh")).toEqual([`169.254.1.1 dev eth0 lladdr ${hostMac} PERMANENT`]);
    expect(bed.ip(bed.node, "route", "show", "10.0.1.17")).toEqual([
      "10.0.1.17 dev enicc21c2d7785 scope link",
    ]);
    expect(bed.ip(bed.node, "rule")).toEqual([
      "0: from all lookup local",
      "1536: from 10.0.1.17 lookup 2",
      "32766: from all lookup main",
      "32767: from all lookup default",
      "512: from all to 10.0.1.17 lookup main",
    ]);
    const link = bed.host.rt.linkByName(web.hostName);
    expect([link?.mtu, link?.txQueueLength, link?.up]).toEqual([9001, 0, true]);
    expect(bed.run(bed.node, "cat", "/proc/sys/net/ipv6/conf/enicc21c2d7785/accept_ra")).toBe("0\n");
    expect(bed.run(bed.node, "cat", "/proc/sys/net/ipv6/conf/enicc21c2d7785/accept_redirects")).toBe("1\n");

    expect(bed.reaches(pod, "10.0.1.10")).toBe(true);
    expect(bed.reaches(bed.node, "10.0.1.17")).toBe(true);
  });

  test("a pod of the primary ENI has no source rule and reaches the world", async () => {
    const pod = bed.netns("pod");
    const primary = { ...web, address: parseIpv4("10.0.2.17"), routeTable: 254 };
    await setUpPodNetwork(bed.host, pod.path, [primary]);
    expect(bed.ip(bed.node, "rule").filter((rule) => rule.includes("10.0.2.17"))).toEqual([
      "512: from all to 10.0.2.17 lookup main",
    ]);
    expect(bed.reaches(pod, "10.0.1.1")).toBe(true);
  });

  test("setting up twice, in the same or another sandbox, leaves one network", async () => {
    const [first, second] = [bed.netns("first"), bed.netns("second")];
    await setUpPodNetwork(bed.host, first.path, [web]);
    await setUpPodNetwork(bed.host, first.path, [web]);
    expect(bed.reaches(first, "10.0.1.10")).toBe(true);
    await setUpPodNetwork(bed.host, second.path, [web]);
    expect(bed.reaches(second, "10.0.1.10")).toBe(true);
    expect(bed.ip(bed.node, "rule").filter((rule) => rule.includes("10.0.1.17")).length).toBe(2);
    expect(bed.ip(first, "-o", "link").length).toBe(1);
  });

  test("S52: taking down leaves nothing, twice, and takes old rules along", async () => {
    const before = [bed.ip(bed.node, "rule"), bed.ip(bed.node, "-4", "route", "show", "table", "all")];
    const pod = bed.netns("pod");
    await setUpPodNetwork(bed.host, pod.path, [web]);
    bed.run(
      bed.node,
      "ip",
      "rule",
      "add",
      "from",
      "10.0.1.17",
      "to",
      "10.0.0.0/16",
      "table",
      "2",
      "priority",
      "1536",
    );
    tearDownPodNetwork(bed.host, [web]);
    tearDownPodNetwork(bed.host, [web]);
    bed.host.rt.deleteLink(bed.host.rt.indexOf(web.hostName));
    expect([bed.ip(bed.node, "rule"), bed.ip(bed.node, "-4", "route", "show", "table", "all")]).toEqual(
      before,
    );
  });

  test("a failure leaves nothing behind", async () => {
    const before = [bed.ip(bed.node, "rule"), bed.ip(bed.node, "-o", "link").length];
    const pod = bed.netns("pod");
    bed.run(pod, "ip", "link", "add", "mNicIf1", "type", "veth", "peer", "name", "other");
    const second = {
      ...web,
      index: 1,
      hostName: "eni1",
      containerName: "mNicIf1",
      address: parseIpv4("10.0.1.18"),
    };
    await expect(setUpPodNetwork(bed.host, pod.path, [web, second])).rejects.toThrow("EEXIST");
    expect([bed.ip(bed.node, "rule"), bed.ip(bed.node, "-o", "link").length]).toEqual(before);
    await expect(setUpPodNetwork(bed.host, `${bed.folder}/nowhere`, [web])).rejects.toThrow("ENOENT");
  });

  test("a pod with several network cards has a table of its own for each further address", async () => {
    const pod = bed.netns("pod");
    const second = {
      index: 1,
      hostName: "enice799470a46",
      containerName: "mNicIf1",
      address: parseIpv4("10.0.7.9"),
      routeTable: 10101,
      mtu: 9001,
    };
    await setUpPodNetwork(bed.host, pod.path, [web, second]);
    expect(bed.ip(pod, "rule")).toContain("1: from 10.0.7.9 lookup 1");
    expect(bed.ip(pod, "route", "show", "table", "1")).toEqual([
      "169.254.1.2 dev mNicIf1 scope link",
      "default via 169.254.1.2 dev mNicIf1",
    ]);
    expect(bed.ip(bed.node, "rule")).toContain("1536: from 10.0.7.9 lookup 10101");
    expect(bed.reaches(bed.node, "10.0.7.9")).toBe(true);
  });

  test("an IPv6 pod can speak at once", async () => {
    const pod = bed.netns("pod");
    const address = parseIpv6("2001:db8::17");
    await setUpPodNetwork(bed.host, pod.path, [{ ...web, address }]);
    expect(bed.ip(pod, "-6", "route")).toContain("default via fe80::1 dev eth0 metric 1024 pref medium");
    expect(bed.ip(pod, "-6", "route")).toContain("fe80::1 dev eth0 metric 1024 pref medium");
    expect(bed.ip(bed.node, "-6", "rule")).toContain("1536: from 2001:db8::17 lookup 2");
    expect(bed.ip(pod, "-o", "-6", "addr", "show", "dev", "eth0", "tentative")).toEqual([]);
    bed.run(bed.node, "ip", "addr", "add", "2001:db8::1/128", "dev", "lo");
    expect(bed.reaches(bed.node, "2001:db8::17")).toBe(true);
    tearDownPodNetwork(bed.host, [{ address, routeTable: 2 }]);
    expect(bed.ip(bed.node, "-6", "rule").filter((rule) => rule.includes("2001"))).toEqual([]);
  });
});
