import { beforeEach, describe, expect, test } from "bun:test";
import { formatAddress } from "../../linux/rtnetlink/family.ts";
import type { AddNetworkReply, DelNetworkReply, DelNetworkRequest } from "../rpc/messages.ts";
import type { BegunAdd } from "./backend.ts";
import { handleCniRequest } from "./handler.ts";
import type { HandlerParts } from "./parts.ts";

const added: AddNetworkReply = {
  Success: true,
  IPAllocationMetadata: [{ IPv4Addr: "10.0.1.17", IPv6Addr: "", DeviceNumber: 0, RouteTableId: 254 }],
  UseExternalSNAT: false,
  VPCv4CIDRs: ["10.0.0.0/16"],
  PodVlanId: 0,
  PodENIMAC: "",
  PodENISubnetGW: "",
  ParentIfIndex: 0,
  VPCv6CIDRs: [],
  NetworkPolicyMode: "",
};
const deleted: DelNetworkReply = {
  Success: true,
  IPAllocationMetadata: added.IPAllocationMetadata,
  PodVlanId: 0,
  NetworkPolicyMode: "",
};

/** What happened, in order. */
let story: string[];
let delRequests: DelNetworkRequest[];

interface Situation {
  readonly added?: Partial<AddNetworkReply>;
  readonly deleted?: Partial<DelNetworkReply>;
  readonly rpcError?: string;
  readonly wiringFails?: boolean;
  readonly agent?: "refuses" | "fails" | "absent";
  /** ipamd is in the same process; its checkpoint stands a little later, or cannot be written. */
  readonly checkpoint?: "late" | "fails";
  /** A DEL takes the address back before the wiring, or while it goes on. */
  readonly deletedMeanwhile?: "before wiring" | "after wiring";
}

function parts(situation: Situation): HandlerParts {
  const failing = (): void => {
    if (situation.wiringFails) throw new Error("kernel says no");
  };
  const agentAnswer = async (word: string) => {
    story.push(word);
    if (situation.agent === "fails") throw new Error("agent broke");
    return { Success: situation.agent !== "refuses" };
  };
  return {
    version: "1.2.3",
    backend: {
      ...(situation.checkpoint === undefined ? {} : { beginAddNetwork: () => begin(situation) }),
      addNetwork: async (request) => {
        story.push(`AddNetwork ${request.K8S_POD_NAME} v${request.ClientVersion}`);
        if (situation.rpcError !== undefined) throw new Error(situation.rpcError);
        return { ...added, ...situation.added };
      },
      delNetwork: async (request) => {
        delRequests.push(request);
        story.push(`DelNetwork ${request.Reason}`);
        if (situation.rpcError !== undefined) throw new Error(situation.rpcError);
        return { ...deleted, ...situation.deleted };
      },
    },
    wiring: {
      setUp: async (netns, interfaces, whenLinked) => {
        for (const made of interfaces)
          story.push(
            `set up ${made.hostName} ${made.containerName} ${formatAddress(made.address)} table ${made.routeTable} mtu ${made.mtu} in ${netns}`,
          );
        whenLinked();
        failing();
        story.push("wired");
      },
      tearDown: (pods) => {
        for (const pod of pods) story.push(`tear down ${formatAddress(pod.address)} table ${pod.routeTable}`);
        failing();
      },
      setUpBranch: async (_netns, made, branch, whenLinked) => {
        story.push(`set up branch ${made.hostName} vlan ${branch.vlanId} ${branch.mac}`);
        whenLinked();
        failing();
      },
      tearDownBranch: (vlanId, pod) => {
        story.push(`tear down branch ${vlanId} ${formatAddress(pod.address)}`);
        failing();
      },
    },
    dialPolicyAgent: async () => {
      story.push("dial agent");
      if (situation.agent === "absent") throw new Error("context deadline exceeded");
      return {
        enforceNpToPod: (request) =>
          agentAnswer(`enforce ${request.NETWORK_POLICY_MODE} ${request.InterfaceCount}`),
        deletePodNp: () => agentAnswer("forget"),
        close: () => {
          story.push("hang up");
        },
      };
    },
  };
}

/** As ipamd does it: the checkpoint is written when nothing else is left to do. */
async function begin(situation: Situation): Promise<BegunAdd> {
  story.push("begin AddNetwork");
  const kept = (async () => {
    await new Promise((resolve) => setImmediate(resolve));
    story.push("checkpoint");
    if (situation.checkpoint === "fails") throw new Error("disk full");
  })();
  kept.catch(() => {});
  return {
    reply: { ...added, ...situation.added },
    kept,
    isHeld: () => {
      if (situation.deletedMeanwhile === undefined) return true;
      return situation.deletedMeanwhile === "after wiring" && !story.includes("wired");
    },
  };
}

async function call(
  command: "ADD" | "DEL",
  situation: Situation = {},
  config: object = {},
  env: Record<string, string> = {},
): Promise<{ exitCode: number; out: Record<string, unknown> }> {
  const { exitCode, stdout } = await handleCniRequest(
    {
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: "c1",
        CNI_NETNS: "/run/netns/a",
        CNI_IFNAME: "eth0",
        CNI_PATH: "/opt/cni/bin",
        CNI_ARGS:
          "K8S_POD_NAMESPACE=default;K8S_POD_NAME=sample-pod;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u1;IgnoreUnknown=1",
        ...env,
      },
      stdin: new TextEncoder().encode(
        JSON.stringify({
          cniVersion: "0.4.0",
          name: "aws-cni",
          type: "aws-cni",
          mtu: "9001",
          pluginLogFile: "/dev/null",
          ...config,
        }),
      ),
    },
    parts(situation),
  );
  return { exitCode, out: stdout === "" ? {} : JSON.parse(stdout) };
}

const prevResult = (dummy: object, container: object = { mac: "2" }) => ({
  prevResult: {
    cniVersion: "0.4.0",
    interfaces: [
      { name: "enicc21c2d7785" },
      { name: "eth0", sandbox: "/run/netns/a", ...container },
      { name: "dummycc21c2d7785", ...dummy },
    ],
    ips: [{ version: "4", interface: 1, address: "10.0.1.17/32" }],
  },
});

beforeEach(() => {
  story = [];
  delRequests = [];
});

describe("ADD (S47)", () => {
  test("wires the address and prints the result that DEL can work from", async () => {
    const { exitCode, out } = await call("ADD");
    expect(exitCode).toBe(0);
    expect(out).toEqual({
      cniVersion: "0.4.0",
      interfaces: [
        { name: "enicc21c2d7785" },
        { name: "eth0", mac: "254", sandbox: "/run/netns/a" },
        { name: "dummycc21c2d7785", mac: "0", sandbox: "0" },
      ],
      ips: [{ version: "4", interface: 1, address: "10.0.1.17/32" }],
      dns: {},
    });
    expect(story).toEqual([
      "AddNetwork sample-pod v1.2.3",
      "set up enicc21c2d7785 eth0 10.0.1.17 table 254 mtu 9001 in /run/netns/a",
      "wired",
    ]);
  });

  test("a pod on every network card has an interface on each", async () => {
    const metadata = [
      { IPv4Addr: "10.0.1.17", IPv6Addr: "", DeviceNumber: 2, RouteTableId: 3 },
      { IPv4Addr: "10.0.7.9", IPv6Addr: "", DeviceNumber: 1, RouteTableId: 10101 },
    ];
    const { out } = await call("ADD", { added: { IPAllocationMetadata: metadata } }, {}, { CNI_ARGS: "" });
    expect(out.interfaces).toEqual([
      { name: "eni3a52ce78095" },
      { name: "eth0", mac: "3", sandbox: "/run/netns/a" },
      { name: "enice799470a46" },
      { name: "mNicIf1", mac: "10101", sandbox: "/run/netns/a" },
      { name: "dummy3a52ce78095", mac: "0", sandbox: "2" },
    ]);
    expect(out.ips).toMatchObject([{ interface: 1 }, { interface: 3, address: "10.0.7.9/32" }]);
  });

  test("an IPv6 address has length 128", async () => {
    const metadata = [{ IPv4Addr: "", IPv6Addr: "2001:db8::", DeviceNumber: 0, RouteTableId: 254 }];
    const { out } = await call("ADD", { added: { IPAllocationMetadata: metadata } });
    expect(out.ips).toEqual([{ version: "6", interface: 1, address: "2001:db8::/128" }]);
  });

  test("no address is an error without wiring and without clean-up", async () => {
    const { exitCode, out } = await call("ADD", { added: { Success: false } });
    expect(exitCode).toBe(1);
    expect(out).toEqual({ code: 999, msg: "add cmd: failed to assign an IP address to container" });
    expect(story).toEqual(["AddNetwork sample-pod v1.2.3"]);
  });

  test("an ipamd that does not answer is told as gRPC tells it", async () => {
    const { out } = await call("ADD", { rpcError: "rpc error: code = Unavailable desc = no such file" });
    expect(out.msg).toBe(
      "add cmd: Error received from AddNetwork gRPC call: rpc error: code = Unavailable desc = no such file",
    );
  });

  test("failed wiring gives the address back", async () => {
    const { out } = await call("ADD", { wiringFails: true });
    expect(out).toEqual({ code: 999, msg: "add command: failed to setup network: kernel says no" });
    expect(story.at(-1)).toBe("DelNetwork SetupNSFailed");
    expect(delRequests[0]?.K8S_POD_UID).toBe("");
  });

  test("a policy mode, none among them, calls the agent", async () => {
    for (const mode of ["standard", "none"]) {
      story = [];
      expect((await call("ADD", { added: { NetworkPolicyMode: mode } })).exitCode).toBe(0);
      expect(story.slice(1).filter((word) => !word.startsWith("set up"))).toEqual([
        "dial agent",
        `enforce ${mode} 1`,
        "wired",
        "hang up",
      ]);
    }
  });

  test("the agent is asked as soon as the devices are there, and works while the rest is wired", async () => {
    const added = { NetworkPolicyMode: "standard" };
    expect((await call("ADD", { added, checkpoint: "late" })).exitCode).toBe(0);
    expect(story.filter((word) => !word.startsWith("set up"))).toEqual([
      "begin AddNetwork",
      "dial agent",
      "enforce standard 1",
      "wired",
      "checkpoint",
      "hang up",
    ]);
  });

  test("wiring that fails after that is taken back from the agent", async () => {
    const added = { NetworkPolicyMode: "standard" };
    expect((await call("ADD", { added, checkpoint: "late", wiringFails: true })).exitCode).toBe(1);
    const end = story.slice(story.indexOf("enforce standard 1") + 1);
    expect(end.toSorted()).toEqual(["DelNetwork SetupNSFailed", "checkpoint", "forget", "hang up"]);
    expect(end.indexOf("DelNetwork SetupNSFailed")).toBeGreaterThan(end.indexOf("checkpoint"));
  });

  test("a checkpoint that cannot be written takes the pod's network down again", async () => {
    const added = { NetworkPolicyMode: "standard" };
    const { out } = await call("ADD", { added, checkpoint: "fails" });
    expect(out).toEqual({ code: 999, msg: "add cmd: failed to assign an IP address to container" });
    expect(story.slice(story.indexOf("checkpoint") + 1)).toEqual([
      expect.stringMatching(/^tear down /),
      "forget",
      "hang up",
    ]);
  });

  test.each(["before wiring", "after wiring"] as const)(
    "a pod that is deleted %s while it is added has no network left",
    async (deletedMeanwhile) => {
      const added = { NetworkPolicyMode: "standard" };
      const { out } = await call("ADD", { added, checkpoint: "late", deletedMeanwhile });
      expect(out).toEqual({ code: 999, msg: "add cmd: the pod was deleted while it was added" });
      const wired = story.indexOf("wired");
      if (deletedMeanwhile === "before wiring") expect(wired).toBe(-1);
      else expect(story.slice(wired).filter((line) => line.startsWith("tear down "))).toHaveLength(1);
      expect(story.at(-1)).toBe("hang up");
    },
  );

  test.each(["refuses", "fails", "absent"] as const)(
    "an agent that %s fails the ADD and leaves the network",
    async (agent) => {
      const { out } = await call("ADD", { added: { NetworkPolicyMode: "strict" }, agent });
      expect(out).toEqual({ code: 999, msg: "add cmd: failed to setup network policy" });
      expect(story.filter((line) => line.startsWith("DelNetwork"))).toEqual([]);
    },
  );

  test.each([
    [{ mtu: "1500" }, 1500],
    [{ mtu: "" }, 9001],
    [{ mtu: "575" }, 9001],
    [{ mtu: "9002" }, 9001],
    [{ mtu: "many" }, 9001],
  ])("%j means an MTU of %d", async (config, mtu) => {
    await call("ADD", {}, config);
    expect(story.find((word) => word.startsWith("set up"))).toContain(`mtu ${mtu} `);
  });

  test("bad configurations and arguments are refused before ipamd is asked", async () => {
    expect((await call("ADD", {}, { vethPrefix: "fives" })).out.msg).toBe(
      "add cmd: error loading config from args: conf.VethPrefix can be at most 4 characters long",
    );
    expect((await call("ADD", {}, {}, { CNI_ARGS: "X=1" })).out.msg).toBe(
      'add cmd: failed to load k8s config from arg: ARGS: unknown args ["X=1"]',
    );
    expect(story).toEqual([]);
  });

  test("a branch ENI has names and a result of its own", async () => {
    const branch = { PodVlanId: 7, PodENIMAC: "02:00:00:00:00:01", PodENISubnetGW: "10.0.1.1" };
    const { out } = await call("ADD", { added: branch });
    expect(story.at(-1)).toBe("set up branch vlancc21c2d7785 vlan 7 02:00:00:00:00:01");
    expect(out.interfaces).toContainEqual({ name: "dummycc21c2d7785", mac: "7" });
    expect(out.ips).toMatchObject([{ gateway: "10.0.1.1" }]);
    await call("ADD", { added: branch }, { podSGEnforcingMode: "standard" });
    expect(story.at(-1)).toContain("set up branch enicc21c2d7785");
  });
});

describe("DEL (S47)", () => {
  test("gives the address back and takes the wiring away", async () => {
    const metadata = [{ IPv4Addr: "10.0.1.17", IPv6Addr: "", DeviceNumber: 1, RouteTableId: 2 }];
    expect((await call("DEL", { deleted: { IPAllocationMetadata: metadata } })).exitCode).toBe(0);
    expect(story).toEqual(["DelNetwork PodDeleted", "tear down 10.0.1.17 table 2"]);
    expect(delRequests[0]).toMatchObject({
      K8S_POD_UID: "u1",
      ClientVersion: "1.2.3",
      NetworkName: "aws-cni",
    });
  });

  test("an unknown pod is a success without teardown", async () => {
    const rpcError = "rpc error: code = Unknown desc = datastore: unknown pod";
    expect((await call("DEL", { rpcError }, prevResult({ mac: "0", sandbox: "1" }))).exitCode).toBe(0);
    expect(story).toEqual(["DelNetwork PodDeleted"]);
  });

  test.each([
    ["the table of the result", { mac: "10101" }, "tear down 10.0.1.17 table 10101"],
    ["the device number of an old result", { mac: "" }, "tear down 10.0.1.17 table 3"],
    ["table 1 as main", { mac: "1" }, "tear down 10.0.1.17 table 254"],
  ])("without ipamd the result is enough: %s", async (_, container, last) => {
    const config = prevResult({ mac: "0", sandbox: "2" }, container);
    for (const wiringFails of [false, true]) {
      expect((await call("DEL", { rpcError: "gone", wiringFails }, config)).exitCode).toBe(0);
      expect(story.at(-1)).toBe(last);
    }
  });

  test("without ipamd and without a usable result it succeeds too", async () => {
    for (const config of [{}, prevResult({ mac: "0", sandbox: "x" })])
      expect((await call("DEL", { rpcError: "gone" }, config)).exitCode).toBe(0);
    expect(story).toEqual(["DelNetwork PodDeleted", "DelNetwork PodDeleted"]);
  });

  test("interfaces that egress-cni appended do not count as the pod's", async () => {
    const config = prevResult({ mac: "0", sandbox: "0" }, { mac: "254" });
    config.prevResult.interfaces.push({ name: "veth1" }, { name: "v4if0", sandbox: "/run/netns/a" });
    await call("DEL", { rpcError: "gone" }, config);
    expect(story.slice(1)).toEqual(["tear down 10.0.1.17 table 254"]);
  });

  test("a refusal and a failed teardown are errors", async () => {
    expect((await call("DEL", { deleted: { Success: false } })).out.msg).toBe(
      "del cmd: failed to process delete request",
    );
    expect((await call("DEL", { wiringFails: true })).out.msg).toBe(
      "del cmd: failed on tear down pod network: kernel says no",
    );
  });

  test("the policy agent must be there, and may fail", async () => {
    const deleted = { NetworkPolicyMode: "none" };
    expect((await call("DEL", { deleted })).exitCode).toBe(0);
    expect(story.at(-2)).toBe("forget");
    for (const agent of ["refuses", "fails"] as const)
      expect((await call("DEL", { deleted, agent })).exitCode).toBe(0);
    expect((await call("DEL", { deleted, agent: "absent" })).out.msg).toBe(
      "del cmd: failed to connect to network policy agent: context deadline exceeded",
    );
  });

  test("a branch pod is known by its result; ipamd is not asked", async () => {
    expect((await call("DEL", {}, prevResult({ mac: "7" }))).exitCode).toBe(0);
    expect(story).toEqual(["tear down branch 7 10.0.1.17"]);
    expect((await call("DEL", {}, prevResult({ mac: "7" }), { CNI_NETNS: "" })).exitCode).toBe(0);
    expect(story.length).toBe(1);
    expect((await call("DEL", {}, prevResult({ mac: "xx" }))).out.msg).toBe(
      "del cmd: failed to delete with prevResult: malformed vlanID in prevResult: xx",
    );
    expect((await call("DEL", { wiringFails: true }, prevResult({ mac: "7" }))).out.msg).toBe(
      "del cmd: failed to delete with prevResult: kernel says no",
    );
  });
});
