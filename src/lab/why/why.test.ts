import { describe, expect, test } from "bun:test";
import type { Chain } from "./chain.ts";
import type { Observation } from "./observation.ts";
import { recordedIpamd, recordedLab, recordedNode } from "./recorded-lab.ts";
import { parseSubject } from "./subject.ts";
import { answerWhy } from "./why.ts";

const ask = (subject: string, seen: Observation = recordedLab): Chain =>
  answerWhy(seen, parseSubject(subject, "default"));
const refusal = (subject: string): string => {
  try {
    return ask(subject).summary;
  } catch (error) {
    return String(error);
  }
};

describe("a subject", () => {
  for (const [text, wanted] of [
    ["foo", /no kind before a slash; wanted pod\/NAME, address\/IP, eni\/ID or node\/NAME/],
    ["", /no kind before a slash/],
    ["deploy/web", /the kind "deploy"; wanted pod\/NAME/],
    ["constructor/x", /the kind "constructor"/],
    ["pod/", /no name after pod\//],
    [
      "pod/none",
      /cannot find the pod default\/none: no pod's name starts so; wanted one of web-homeless, web-/,
    ],
    ["pod/other/web", /cannot find the pod other\/web: one in another namespace: pod\/default\/web-/],
    ["address/300.1.1.1", /"300\.1\.1\.1", which is no address; wanted an IPv4 or IPv6 address/],
    ["address/10.0.1.0\\/24", /which is no address/],
    [
      "address/8.8.8.8",
      /it is in none of the VPC's subnets; wanted an address of 10\.0\.1\.0\/24, 10\.0\.2\.0\/24/,
    ],
    ["eni/10.0.1.5", /which is no ENI's id; wanted an id such as eni-/],
    ["eni/eni-0123456789abcdef0", /EC2 has none of that id; wanted one of "eniverse get network-interfaces"/],
    ["node/ip-10-9", /cannot find the node ip-10-9: no node of that name.*; wanted one of ip-10-0-1-178/],
  ] as const) {
    test(`${JSON.stringify(text)} is refused`, () => {
      expect(refusal(text)).toMatch(wanted);
    });
  }

  for (const [text, subject] of [
    ["po/web-1", "pod/default/web-1"],
    ["pod/kube-system/aws-node", "pod/kube-system/aws-node-nkshz"],
    ["pod/web", "pod/default/web-homeless"],
    ["node/ip-10-0-1-178", "node/ip-10-0-1-178.us-west-2.compute.internal"],
    ["node/i-0a4282a318af292cb", "node/ip-10-0-1-178.us-west-2.compute.internal"],
    ["node/10.0.1.178", "node/ip-10-0-1-178.us-west-2.compute.internal"],
    ["ip/10.0.1.119", "address/10.0.1.119"],
  ] as const) {
    test(`${text} is ${subject}`, () => {
      expect(ask(text).subject).toBe(subject);
    });
  }

  test("a whole name is meant before longer ones that start so", () => {
    const short = { ...recordedNode, name: "ip-10-0-1-1.us-west-2.compute.internal", address: "10.0.1.1" };
    const seen = { ...recordedLab, nodes: [recordedNode, short] };
    expect(ask("node/ip-10-0-1-1", seen).subject).toBe(`node/${short.name}`);
    expect(() => ask("node/ip-10-0", seen)).toThrow("2 nodes that start so");
  });
});

type PoolAddresses = (typeof recordedIpamd)["pool"]["addresses"];

/** The recorded lab, its pool with other addresses. */
function withPoolAddresses(change: (addresses: PoolAddresses) => PoolAddresses): Observation {
  const { pool } = recordedIpamd;
  const ipamd = { ...recordedIpamd, pool: { ...pool, addresses: change(pool.addresses) } };
  return { ...recordedLab, nodes: [{ ...recordedNode, ipamd }] };
}

describe("an address", () => {
  const warm = withPoolAddresses((addresses) =>
    addresses.map((entry) => (entry.address === "10.0.1.119" ? { ...entry, state: "warm" } : entry)),
  );

  for (const [what, address, summary, seen] of [
    ["primary", "10.0.1.52", "10.0.1.52 is the primary address of eni-0d827a837ff718635"],
    [
      "assigned",
      "10.0.1.253",
      "is held by pod default/web-2 on ip-10-0-1-178 since 2026-11-22T05:42:15.267Z",
    ],
    ["warm", "10.0.1.119", "is free for pods of ip-10-0-1-178 and kept warm there", warm],
    ["the control plane's", "10.0.1.96", "EKS reaches the VPC from the control plane through it"],
    ["free", "10.0.1.200", "nobody holds 10.0.1.200: it is free in subnet a (10.0.1.0/24)"],
    [
      "the network's",
      "10.0.1.0",
      "one of AWS's five addresses of subnet a (10.0.1.0/24): the network address",
    ],
    ["the router's", "10.0.1.1", "the VPC's router"],
    ["the resolver's", "10.0.2.2", "of subnet b (10.0.2.0/24): the VPC's DNS resolver"],
    ["the spare", "10.0.1.3", "kept for future use"],
    ["the broadcast", "10.0.1.255", "the broadcast address"],
  ] as const) {
    test(`that is ${what}`, () => {
      const chain = ask(`address/${address}`, seen);
      expect(chain.summary).toContain(summary);
      expect(chain.links.length).toBeGreaterThan(0);
    });
  }

  test("that is warm is kept by the targets in force", () => {
    const settings = ask("address/10.0.1.119", warm).links.flatMap(({ setting }) => setting ?? []);
    expect(settings[0]).toBe("WARM_IP_TARGET=1");
  });

  test("of a prefix is its own, though the pool lists the block", () => {
    const block = "10.0.1.32/28";
    const eni = "eni-0d827a837ff718635";
    const state = "warm" as const;
    const warm = { deviceNumber: 1, card: 0, address: block, cidr: block, state, count: 16 };
    const seen: Observation = {
      ...withPoolAddresses((addresses) => [...addresses, { ...warm, eni }]),
      enis: recordedLab.enis.map((each) => (each.eniId === eni ? { ...each, prefixes: [block] } : each)),
    };
    const chain = ask("address/10.0.1.40", seen);
    expect(chain.summary).toContain("10.0.1.40 is free for pods");
    expect(JSON.stringify(chain.links)).toContain(`10.0.1.40 is from the prefix ${block}`);
  });
});

describe("an IPv6 address", () => {
  const block = "2600:1f14:829:ea01:7eeb::/80";
  const own = "2600:1f14:829:ea01:d53:83bf:f730:7a47";
  const primary = "eni-00de378a3018fd0df";
  const place = { eni: primary, deviceNumber: 0, card: 0, cidr: block };
  const seen: Observation = {
    ...recordedLab,
    subnets: recordedLab.subnets.map((subnet, index) =>
      index === 0 ? { ...subnet, ipv6Cidr: "2600:1f14:829:ea01::/64" } : subnet,
    ),
    enis: recordedLab.enis.map((eni) =>
      eni.eniId === primary ? { ...eni, addresses: ["10.0.1.178", own], prefixes: [block] } : eni,
    ),
    nodes: [
      {
        ...recordedNode,
        ipamd: {
          ...recordedIpamd,
          pool: {
            cards: [
              {
                card: 0,
                mode: "ipv6",
                total: 2 ** 48,
                assigned: 1,
                cooling: 0,
                assignable: 2 ** 48 - 1,
                prefixes: 1,
              },
            ],
            addresses: [
              {
                ...place,
                address: "2600:1f14:829:ea01:7eeb::1",
                state: "assigned",
                count: 1,
                pod: { namespace: "default", name: "web-1" },
              },
              { ...place, address: block, state: "warm", count: 2 ** 48 - 1 },
            ],
          },
        },
      },
    ],
    pods: [],
  };

  for (const [what, address, summary] of [
    ["of a pod", "2600:1f14:829:ea01:7eeb::1", "is held by pod default/web-1"],
    [
      "written long",
      "2600:1F14:829:EA01:7EEB:0:0:1",
      "2600:1f14:829:ea01:7eeb::1 is held by pod default/web-1",
    ],
    ["of the node's prefix", "2600:1f14:829:ea01:7eeb::9", "is free for pods of ip-10-0-1-178"],
    ["of the node", own, `${own} is an address of ${primary}`],
    ["that is free", "2600:1f14:829:ea01::99", "it is free in subnet a (2600:1f14:829:ea01::/64)"],
    ["of AWS", "2600:1f14:829:ea01::1", "the VPC's router"],
  ] as const) {
    test(`${what} is known`, () => {
      expect(ask(`address/${address}`, seen).summary).toContain(summary);
    });
  }

  test("of the prefix stays for the node's life; the node is told by its prefixes", () => {
    const [link] = ask("address/2600:1f14:829:ea01:7eeb::9", seen).links;
    expect(link).toMatchObject({
      rule: "a node keeps its /80 as long as it lives",
      setting: "ENABLE_IPv6=true",
    });
    expect(ask("node/ip-10-0-1-178", seen).summary).toContain("holds 1 IPv6 prefix: 1 address given to pods");
  });
});

describe("an ENI", () => {
  const idle = withPoolAddresses((addresses) => addresses.filter(({ pod }) => pod?.name !== "web-1"));
  const second = "eni-0d827a837ff718635";
  const changed = (change: Partial<Observation["enis"][number]>): Observation => ({
    ...recordedLab,
    enis: recordedLab.enis.map((eni) => (eni.eniId === second ? { ...eni, ...change } : eni)),
  });
  const detached = recordedLab.enis.flatMap(({ instanceId, deviceIndex: _index, ...eni }) =>
    instanceId === undefined ? [] : [{ ...eni, status: "available" }],
  );

  for (const [what, eniId, summary, seen] of [
    [
      "of a node",
      "eni-00de378a3018fd0df",
      "is the primary ENI of ip-10-0-1-178: it goes when the instance goes",
    ],
    ["with a pod", second, "serves 1 pod of ip-10-0-1-178"],
    ["without a pod", second, "has no pod, and ipamd of ip-10-0-1-178 keeps it: WARM_IP_TARGET=1", idle],
    [
      "of others",
      second,
      "is not ipamd's: it serves no pods",
      changed({ tags: { "node.k8s.amazonaws.com/no_manage": "true" } }),
    ],
    [
      "that was left",
      second,
      "was left behind by ipamd of i-0a4282a318af292cb",
      { ...recordedLab, enis: detached },
    ],
    ["of the control plane", "eni-0de33010f53535c7e", "EKS reaches the VPC from the control plane"],
  ] as const) {
    test(`${what} is told for`, () => {
      expect(ask(`eni/${eniId}`, seen).summary).toContain(summary);
    });
  }
});

describe("a node", () => {
  test("with pods that wait is explained as they are", () => {
    const chain = ask("node/ip-10-0-1-178");
    expect(chain.cause).toBe("eni-limit");
    expect(chain.links[0]?.what).toBe("ip-10-0-1-178 is Ready; 1 pod there waits for a network");
  });

  test("without such pods tells what it holds", () => {
    const seen = { ...recordedLab, pods: [] };
    const chain = ask("node/ip-10-0-1-178", seen);
    expect(chain.cause).toBe("none");
    expect(chain.summary).toContain("holds 2 addresses: 2 given, 0 ready");
  });
});
