import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { inNetns, Netns } from "../../linux/netns.ts";
import { writeSysctl } from "../../linux/sysctl.ts";
import { answerImds } from "./answer.ts";
import { listenImds } from "./listen.ts";

const isRoot = process.getuid?.() === 0;

/**
 * A router with the metadata service, a node behind it, and a pod behind the node: a token answer with a TTL of 1
 * reaches the node's own processes and no pod.
 */
describe.skipIf(!isRoot)("the hop limit is the TTL of token answers", () => {
  const spaces: Netns[] = [];
  let hopLimit = 1;
  let service: ReturnType<typeof listenImds>;

  function ip(ns: Netns, ...args: string[]): void {
    const run = inNetns(ns, () => Bun.spawnSync(["ip", ...args]));
    if (run.exitCode !== 0) throw new Error(`ip ${args.join(" ")}: ${run.stderr.toString()}`);
  }

  function link(from: Netns, device: string, to: Netns, peer: string): void {
    const path = `/proc/${process.pid}/fd/${to.fd}`;
    ip(from, "link", "add", device, "type", "veth", "peer", "name", peer, "netns", path);
    ip(from, "link", "set", device, "up");
    ip(to, "link", "set", peer, "up");
  }

  beforeAll(() => {
    const router = Netns.create();
    const node = Netns.create();
    const pod = Netns.create();
    spaces.push(router, node, pod);
    link(router, "toNode", node, "eth0");
    link(node, "toPod", pod, "eth0");
    ip(router, "link", "set", "lo", "up");
    ip(router, "addr", "add", "169.254.169.254/32", "dev", "lo");
    ip(router, "addr", "add", "10.0.0.1/24", "dev", "toNode");
    ip(router, "route", "add", "10.0.1.0/24", "via", "10.0.0.2");
    ip(node, "addr", "add", "10.0.0.2/24", "dev", "eth0");
    ip(node, "addr", "add", "10.0.1.1/24", "dev", "toPod");
    ip(node, "route", "add", "default", "via", "10.0.0.1");
    writeSysctl("net.ipv4.ip_forward", "1", node);
    ip(pod, "addr", "add", "10.0.1.2/24", "dev", "eth0");
    ip(pod, "route", "add", "default", "via", "10.0.1.1");
    service = inNetns(router, () =>
      listenImds("169.254.169.254", 80, async (request, _source, setTtl) =>
        answerImds(request, {
          instance: {
            instanceId: "i-1",
            userData: "data",
            metadataOptions: {
              httpTokens: "optional",
              httpPutResponseHopLimit: hopLimit,
              httpEndpoint: "enabled",
              httpProtocolIpv6: "disabled",
              instanceMetadataTags: "disabled",
            },
          } as never,
          overIpv6: false,
          secret: "s",
          now: Date.now(),
          metadata: () => {
            throw new Error("nobody asked for metadata");
          },
          setTtl,
        }),
      ),
    );
  });

  afterAll(() => {
    service?.stop();
    for (const ns of spaces) ns.close();
  });

  /** Of each request: how long it may take, and what is printed of it. */
  const quietly = (seconds: number): string[] => [
    "-s",
    "-m",
    `${seconds}`,
    "-w",
    "%{http_code} %{num_connects}\\n",
    "-o",
    "/dev/null",
  ];

  /** What curl prints from a namespace; "28" is its status for a time-out. */
  async function curl(ns: Netns | undefined, args: readonly string[], seconds = 30): Promise<string> {
    if (ns === undefined) throw new Error("no namespace");
    const child = inNetns(ns, () => Bun.spawn(["curl", ...quietly(seconds), ...args]));
    const text = await new Response(child.stdout).text();
    return (await child.exited) === 0 ? text.trim() : String(await child.exited);
  }

  const base = "http://169.254.169.254/latest";
  const tokenRequest = ["-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60", `${base}/api/token`];

  test("1 serves the node and not the pod; 2 serves both", async () => {
    const [, node, pod] = spaces;
    hopLimit = 1;
    expect(await curl(node, tokenRequest)).toBe("200 1");
    expect(await curl(pod, tokenRequest, 1)).toBe("28");
    hopLimit = 2;
    expect(await curl(pod, tokenRequest)).toBe("200 1");
  });

  test("other answers have the ordinary TTL, on the same connection too", async () => {
    const [, node, pod] = spaces;
    hopLimit = 1;
    const userData = `${base}/user-data`;
    const tokenThenData = [...tokenRequest, "--next", ...quietly(30), userData];
    expect(await curl(pod, [userData])).toBe("200 1");
    expect(await curl(node, tokenThenData)).toBe("200 1\n200 0");
    // A pod's connection whose token answer was lost can still be used for what needs no token.
    hopLimit = 2;
    expect(await curl(pod, tokenThenData)).toBe("200 1\n200 0");
  });
});
