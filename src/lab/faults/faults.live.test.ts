import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import {
  CreateNetworkInterfaceCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSubnetsCommand,
  type Subnet,
} from "@aws-sdk/client-ec2";
import { deployments, type Pod, pods } from "../../kube/resources.ts";
import { type LabMachine, latestCalls } from "../control.ts";
import { labBed, until } from "../lab-bed.ts";
import { processesIn } from "./node-processes.ts";

// Every kind of fault on a lab: it bites, it is healed, and the lab is whole afterwards. Two t3.medium nodes: three ENIs
// with five pods each. The first ENIs are full, the pools keep one address ready, and pods only become more: for each one
// EC2 must be called.
const bed = labBed("faults");

const lab = `
vpc:
  cidrs: [10.0.0.0/16]
  subnets:
    - {name: nodes-a, zone: us-west-2a, cidr: 10.0.32.0/24, publicAddresses: true, routeTable: out}
    - {name: nodes-b, zone: us-west-2b, cidr: 10.0.33.0/24, publicAddresses: true, routeTable: out}
  routeTables:
    - {name: out, routes: [{destination: 0.0.0.0/0, target: internet-gateway}]}
nodeGroups:
  - {name: workers, instanceType: t3.medium, count: 2, subnets: [nodes-a, nodes-b]}
awsNode:
  env: {WARM_IP_TARGET: "1", MINIMUM_IP_TARGET: "1", IP_COOLDOWN_PERIOD: "0"}
`;

/** As many pods as there are to be. */
let replicas = 8;
const scale = async (to: number): Promise<void> => {
  replicas = to;
  await bed.kube().patch(deployments, "web", { spec: { replicas } }, { namespace: "default" });
};
/** So many more pods on each of the two nodes. */
const grow = (perNode: number): Promise<void> => scale(replicas + 2 * perNode);
const running = async (): Promise<Pod[]> =>
  (await bed.kube().list(pods, { namespace: "default" })).items.filter(isReady);
const allReady = (): Promise<void> =>
  until("all pods are Ready, and no others", async () => {
    const { items } = await bed.kube().list(pods, { namespace: "default" });
    return items.length === replicas && items.every(isReady);
  });
const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true;
/** Addresses of the pods, or of those on a node. */
const podAddresses = async (nodeName?: string): Promise<string[]> =>
  (await running())
    .filter(({ spec }) => nodeName === undefined || spec.nodeName === nodeName)
    .map(({ status }) => status?.podIP ?? "")
    .sort();
/** How calls of an action have ended, the latest last. */
const ends = async (action: string): Promise<string[]> =>
  (await latestCalls(bed.paths)).filter((call) => call.action === action).map(({ code }) => code);
const broken = (): { kind: string }[] =>
  bed.json<{ fault: { kind: string } }[]>("break", "--list").map(({ fault }) => fault);
const warned = (text: string): Promise<void> =>
  until(`an event says ${text}`, async () =>
    (await bed.warnings()).some(({ reason, message }) => reason === text || message?.includes(text)),
  );
const subnet = async (name: string): Promise<Subnet | undefined> =>
  (await (await bed.ec2()).send(new DescribeSubnetsCommand({}))).Subnets?.find(({ Tags = [] }) =>
    Tags.some(({ Value }) => Value === name),
  );
const ipamds = ({ initPid }: LabMachine): number[] => processesIn(initPid, "node/ipamd/main.ts");
/** True when a web pod answers to this node. */
const answers = ({ nodeName }: LabMachine, address: string | undefined, seconds = 20): boolean =>
  bed.run("node", nodeName, "--", "curl", "-s", "-m", String(seconds), `http://${address}:8080/`).status ===
  0;

describe.skipIf(process.getuid?.() !== 0)("faults of a lab", () => {
  let [first, second] = [] as LabMachine[];
  const machine = (which: LabMachine | undefined): LabMachine => {
    if (which === undefined) throw new Error("no such node");
    return which;
  };

  beforeAll(async () => {
    await bed.upFrom(lab);
    bed.succeed("run", "web", "--replicas", String(replicas));
    [first, second] = (await bed.machines()).toSorted((a, b) => a.nodeName.localeCompare(b.nodeName));
  }, 180_000);

  afterEach(async () => {
    bed.succeed("heal");
    expect(broken()).toEqual([]);
    await allReady();
    bed.succeed("check", "--patience", "90");
  }, 180_000);

  afterAll(() => bed.down(), 60_000);

  test("attaching is slow: an ENI's device comes so late, and its pods with it", async () => {
    bed.succeed("break", "attach", "--delay", "4s");
    const started = performance.now();
    await grow(1);
    await until("each node has a second ENI", async () => {
      const enis = await Promise.all([first, second].map((one) => bed.enis(machine(one).nodeName)));
      return enis.every(([, one]) => one?.Attachment?.Status === "attached");
    });
    expect(performance.now() - started).toBeGreaterThanOrEqual(4000);
  });

  test("the metadata service lags: pods live on addresses that it tells later", async () => {
    bed.succeed("break", "metadata", "--lag", "10m", "--leaf-lag", "1s");
    await grow(1);
    await allReady();
    await addressesAreLate(machine(first));
    bed.succeed("heal", "metadata");
    await until("it has followed", async () => (await lateAddresses(machine(first))).length === 0);
  });

  test("the metadata service stands still: so do its answers, and pods come all the same", async () => {
    bed.succeed("break", "metadata", "--frozen");
    const frozen = metadataAddresses(machine(first));
    await grow(1);
    await allReady();
    await addressesAreLate(machine(first));
    expect(metadataAddresses(machine(first))).toEqual(frozen);
  });

  test("slow answers", async () => {
    bed.succeed("break", "ec2", "--action", "DescribeSub*", "--delay", "700ms");
    const started = performance.now();
    await subnet("nodes-a");
    expect(performance.now() - started).toBeGreaterThanOrEqual(700);
  });

  test("throttling of one action, so many times: others are answered, and pods come all the same", async () => {
    bed.succeed("break", "ec2", "--throttle", "AssignPrivateIpAddresses", "--times", "2");
    const before = (await ends("AssignPrivateIpAddresses")).length;
    await grow(1);
    await allReady();
    const assigned = async () => (await ends("AssignPrivateIpAddresses")).slice(before);
    await until("the calls are tried again", async () => (await assigned()).length > 2);
    expect((await assigned()).slice(0, 2)).toEqual(["RequestLimitExceeded", "RequestLimitExceeded"]);
    expect((await assigned()).slice(2)).not.toContain("RequestLimitExceeded");
    for (const action of ["CreateNetworkInterface", "DescribeNetworkInterfaces", "CreateTags"])
      expect(await ends(action)).not.toContain("RequestLimitExceeded");
    // It is over after so many calls.
    expect(broken()).toEqual([]);
  });

  test("throttling of everything at a rate: some calls fail, and pods come all the same", async () => {
    bed.succeed("break", "ec2", "--throttle", "*", "--rate", "0.3");
    await until("a call is throttled", async () => {
      await subnet("nodes-a").catch(() => {});
      return (await ends("DescribeSubnets")).includes("RequestLimitExceeded");
    });
    await grow(1);
    await allReady();
  });

  test("attaching fails: pods come when it is healed, and no ENI is left lying about", async () => {
    bed.succeed("break", "attach", "--fail-rate", "1");
    await grow(1);
    await until("an attachment has failed", async () =>
      (await ends("AttachNetworkInterface")).includes("InternalError"),
    );
    bed.succeed("heal", "attach");
    await allReady();
    // To the check they would be a leak after five minutes only.
    const filter = { Name: "status", Values: ["available"] };
    await until("no ENI is alone", async () => {
      const { NetworkInterfaces = [] } = await (await bed.ec2()).send(
        new DescribeNetworkInterfacesCommand({ Filters: [filter] }),
      );
      return NetworkInterfaces.length === 0;
    });
  });

  test("errors by their code: pods wait, an event names them, and pods come when it is healed", async () => {
    for (const action of ["AssignPrivateIp*", "CreateNetworkInterface"])
      bed.succeed("break", "ec2", "--error", "UnauthorizedOperation", "--action", action);
    expect(broken()).toMatchObject([
      { kind: "ec2", error: "UnauthorizedOperation", action: "AssignPrivateIp*", rate: 1 },
      { kind: "ec2", error: "UnauthorizedOperation", action: "CreateNetworkInterface", rate: 1 },
    ]);
    await grow(3);
    await warned("MissingIAMPermissions");
    expect((await running()).length).toBeLessThan(replicas);
    bed.succeed("heal", "ec2");
    await allReady();
  });

  test("a subnet is filled to a percentage, and fragmented", async () => {
    const free = (await subnet("nodes-a"))?.AvailableIpAddressCount ?? 0;
    bed.succeed("break", "subnet", "nodes-a", "--fill", "90%");
    // Of 256 addresses EC2 keeps five.
    const left = (await subnet("nodes-a"))?.AvailableIpAddressCount ?? 0;
    expect(left).toBeGreaterThanOrEqual(24);
    expect(left).toBeLessThanOrEqual(26);
    bed.succeed("heal", "subnet");
    expect((await subnet("nodes-a"))?.AvailableIpAddressCount).toBe(free);
    bed.succeed("break", "subnet", "nodes-a", "--fragment");
    const { SubnetId, AvailableIpAddressCount = 0 } = (await subnet("nodes-a")) ?? {};
    expect(AvailableIpAddressCount).toBeGreaterThan(180);
    const prefix = new CreateNetworkInterfaceCommand({ SubnetId, Ipv4PrefixCount: 1 });
    await expect((await bed.ec2()).send(prefix)).rejects.toMatchObject({ name: "InsufficientCidrBlocks" });
  });

  test("a full subnet: its node's pods wait, those of the other subnet come", async () => {
    bed.succeed("break", "subnet", "nodes-a", "--fill", "100%");
    expect((await subnet("nodes-a"))?.AvailableIpAddressCount).toBe(0);
    await grow(2);
    await warned("InsufficientFreeAddressesInSubnet");
    const there = machine(second).nodeName;
    await until("the other node's pods are there", async () =>
      (await bed.kube().list(pods, { namespace: "default" })).items
        .filter(({ spec }) => spec.nodeName === there)
        .every(isReady),
    );
    expect((await running()).length).toBeLessThan(replicas);
    bed.succeed("heal", "subnet");
    // ipamd leaves a full subnet alone for two minutes; a new one asks at once.
    await bed.restartAwsNode();
    await allReady();
  });

  test("ipamd killed: it comes again, and every pod keeps its address", async () => {
    await scale(6);
    await allReady();
    const before = await podAddresses();
    const [old = 0] = ipamds(machine(first));
    expect(old).toBeGreaterThan(0);
    bed.succeed("break", "ipamd", machine(first).nodeName);
    await until("another ipamd runs", () => {
      const [pid] = ipamds(machine(first));
      return pid !== undefined && pid !== old;
    });
    await grow(1);
    await allReady();
    expect(await podAddresses()).toEqual(expect.arrayContaining(before));
  });

  test("ipamd kept down: running pods go on, new ones wait for its end", async () => {
    bed.succeed("break", "ipamd", "--keep-down");
    const before = await podAddresses();
    await grow(1);
    await warned("ipamd.sock");
    expect(await podAddresses()).toEqual(before);
    expect(answers(machine(first), before[0])).toBe(true);
    bed.succeed("heal", "ipamd");
    await allReady();
  });

  test("the API server gone: nodes do not reach it, kubectl does; pods go on", async () => {
    const server = /https:\/\/[\d.]+:443/.exec(
      bed.on(machine(first).nodeName, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"),
    )?.[0];
    const asked = (): number | null =>
      bed.run("node", machine(first).nodeName, "--", "curl", "-sk", "-m", "5", `${server}/healthz`).status;
    expect(asked()).toBe(0);
    bed.succeed("break", "api-server");
    expect(asked()).not.toBe(0);
    const [address] = await podAddresses();
    expect(answers(machine(first), address)).toBe(true);
    bed.succeed("heal", "api-server");
    expect(asked()).toBe(0);
    await grow(1);
    await allReady();
  });

  test("a node cut off: nobody reaches its pods, nor they others, until it is healed", async () => {
    const [here, there] = [machine(first), machine(second)];
    const [inside] = await podAddresses(here.nodeName);
    const [outside] = await podAddresses(there.nodeName);
    expect([answers(there, inside), answers(here, outside)]).toEqual([true, true]);
    bed.succeed("break", "node", here.nodeName, "--cut-off");
    expect([answers(there, inside, 2), answers(here, outside, 2)]).toEqual([false, false]);
    bed.succeed("heal", "node");
    expect([answers(there, inside), answers(here, outside)]).toEqual([true, true]);
  });

  test("a node rebooted: it keeps its disk and its ENIs, and its pods come again in new sandboxes", async () => {
    const { nodeName, instanceId, initPid } = machine(first);
    const own = async (): Promise<Pod[]> =>
      (await bed.kube().list(pods, { namespace: "default" })).items.filter(
        ({ spec }) => spec.nodeName === nodeName,
      );
    const uids = async (): Promise<string[]> =>
      (await own()).map(({ metadata }) => metadata.uid ?? "").sort();
    const eniIds = async () => (await bed.enis(nodeName)).map(({ NetworkInterfaceId }) => NetworkInterfaceId);
    const before = { uids: await uids(), eniIds: await eniIds() };
    bed.on(nodeName, "sh", "-c", "echo kept >/var/lib/mark; echo lost >/run/mark; echo lost >/tmp/mark");
    bed.succeed("break", "node", nodeName, "--reboot");
    const look = "cat /var/lib/mark; ls /run /tmp | grep mark; ls /opt/cni/bin/aws-cni";
    expect(bed.on(nodeName, "sh", "-c", look)).toBe("kept\n/opt/cni/bin/aws-cni\n");
    first = (await bed.machines()).find((one) => one.instanceId === instanceId);
    expect(first?.initPid).not.toBe(initPid);
    await until("each container was started again", async () =>
      (await own())
        .flatMap(({ status }) => status?.containerStatuses ?? [])
        .every((one) => one.restartCount === 1 && one.ready),
    );
    expect({ uids: await uids(), eniIds: await eniIds() }).toEqual(before);
    expect(bed.on(nodeName, "grep", "-c", "kubelet runs", "/var/log/kubelet.log").trim()).toBe("2");
    bed.succeed("verify");
  });
});

/** Addresses of a node's ENIs that its metadata service does not tell of. */
async function lateAddresses(machine: LabMachine): Promise<string[]> {
  const told = new Set(metadataAddresses(machine));
  return (await bed.enis(machine.nodeName))
    .flatMap(({ PrivateIpAddresses = [] }) =>
      PrivateIpAddresses.map(({ PrivateIpAddress = "" }) => PrivateIpAddress),
    )
    .filter((address) => !told.has(address));
}

const addressesAreLate = (machine: LabMachine): Promise<void> =>
  until(
    "EC2 has addresses that metadata do not tell of",
    async () => (await lateAddresses(machine)).length > 0,
  );

/** Every private IPv4 address that a node's metadata service tells of. */
function metadataAddresses({ nodeName }: LabMachine): string[] {
  const script = `at=http://169.254.169.254/latest
token=$(curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $at/api/token)
get() { curl -s -H "X-aws-ec2-metadata-token: $token" $at/meta-data/network/interfaces/macs/$1; }
for mac in $(get); do get $mac"local-ipv4s"; echo; done`;
  return bed
    .on(nodeName, "sh", "-c", script)
    .split("\n")
    .filter((line) => /^[\d.]+$/.test(line))
    .sort();
}
