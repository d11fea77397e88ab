import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  ModifyNetworkInterfaceAttributeCommand,
  type NetworkInterface,
} from "@aws-sdk/client-ec2";
import { clusterRoles, nodes, pods } from "../../kube/resources.ts";
import { labStatus, latestCalls } from "../control.ts";
import { labBed, until } from "../lab-bed.ts";

// The variables of aws-node that decide about ENIs, links, translation and chained plugins, on one m5.xlarge (4 ENIs).
const bed = labBed("settings");
const patience = 90_000;

const lab = `
vpc:
  cidrs: [10.0.0.0/16]
  subnets:
    - {name: nodes-a, zone: us-west-2a, cidr: 10.0.32.0/20, publicAddresses: true, routeTable: out}
    - {name: nodes-b, zone: us-west-2b, cidr: 10.0.48.0/20, routeTable: out}
  routeTables:
    - {name: out, routes: [{destination: 0.0.0.0/0, target: internet-gateway}]}
nodeGroups:
  - {name: workers, instanceType: m5.xlarge, count: 1, subnets: [nodes-a]}
awsNode:
  env:
    MAX_ENI: "2"
    WARM_ENI_TARGET: "3"
    IP_COOLDOWN_PERIOD: "0"
    ADDITIONAL_ENI_TAGS: '{"team": "network", "k8s.amazonaws.com/mine": "no"}'
    AWS_VPC_ENI_MTU: "1500"
    POD_MTU: "1400"
    ENABLE_BANDWIDTH_PLUGIN: "true"
    DISABLE_POD_V6: "true"
    AWS_EXTERNAL_SERVICE_CIDRS: 198.51.100.0/24
`;

const node = "ip-10-0-";
const enis = (): Promise<NetworkInterface[]> => bed.enis(node);
const on = (...words: readonly string[]): string => bed.on(node, ...words);
const inPod = (...words: readonly string[]): string => bed.succeed("exec", "web-", "--", ...words);
const tagsOf = (eni: NetworkInterface | undefined): Record<string, string> =>
  Object.fromEntries((eni?.TagSet ?? []).map(({ Key = "", Value = "" }) => [Key, Value]));

/** Ids of the ENIs that ipamd manages. */
function managed(): string[] {
  const page = JSON.parse(on("curl", "-s", "http://127.0.0.1:61679/v1/enis")) as Record<
    string,
    { ENIs: Record<string, unknown> }
  >;
  return Object.keys(page["0"]?.ENIs ?? {}).sort();
}

/** Who the internet sees when a pod speaks to it; undefined when no answer comes. */
async function seenOutside(): Promise<string | undefined> {
  const { internetEcho } = await labStatus(bed.paths);
  const talk = `exec 3<>/dev/tcp/${internetEcho}/7 && echo whoami >&3 && head -n 1 <&3`;
  const ended = bed.run("exec", "web-", "--", "timeout", "2", "bash", "-c", talk);
  return ended.status === 0 ? ended.stdout.split(" ")[0] : undefined;
}

async function attach(deviceIndex: number, tags: Readonly<Record<string, string>>): Promise<string> {
  const ec2 = await bed.ec2();
  const [primary] = await enis();
  const { NetworkInterface: made } = await ec2.send(
    new CreateNetworkInterfaceCommand({
      SubnetId: primary?.SubnetId,
      SecondaryPrivateIpAddressCount: 2,
      TagSpecifications: [
        {
          ResourceType: "network-interface",
          Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
        },
      ],
    }),
  );
  const NetworkInterfaceId = made?.NetworkInterfaceId ?? "";
  await ec2.send(
    new AttachNetworkInterfaceCommand({
      NetworkInterfaceId,
      InstanceId: primary?.Attachment?.InstanceId,
      DeviceIndex: deviceIndex,
    }),
  );
  return NetworkInterfaceId;
}

describe.skipIf(process.getuid?.() !== 0)("settings", () => {
  beforeAll(async () => {
    await bed.upFrom(lab);
    // Fourteen fit on the primary ENI.
    bed.succeed("run", "web", "--replicas", "16");
  }, patience);

  afterAll(() => bed.down(), patience);

  test(
    "MAX_ENI caps WARM_ENI_TARGET, and new ENIs bear ADDITIONAL_ENI_TAGS but no key of Kubernetes'",
    async () => {
      const [, second, ...more] = await enis();
      expect(more).toEqual([]);
      const tags = tagsOf(second);
      expect(tags).toMatchObject({
        team: "network",
        "cluster.k8s.amazonaws.com/name": bed.paths.name,
        "eks:eni:owner": "amazon-vpc-cni",
        "node.k8s.amazonaws.com/instance_id": second?.Attachment?.InstanceId ?? "",
      });
      expect(Object.keys(tags)).not.toContain("k8s.amazonaws.com/mine");
    },
    patience,
  );

  test(
    "MTUs are on the links, the chained plugins in the list, external services go by the primary ENI",
    async () => {
      expect(on("ip", "-o", "link", "show", "eth0")).toContain(" mtu 1500 ");
      expect(on("ip", "-o", "link", "show", "eth1")).toContain(" mtu 1500 ");
      expect(inPod("ip", "-o", "link", "show", "eth0")).toContain(" mtu 1400 ");
      const { plugins } = JSON.parse(on("cat", "/etc/cni/net.d/10-aws.conflist")) as {
        plugins: { type: string }[];
      };
      expect(plugins.map(({ type }) => type)).toEqual([
        "aws-cni",
        "egress-cni",
        "portmap",
        "bandwidth",
        "tuning",
      ]);
      expect(inPod("cat", "/proc/sys/net/ipv6/conf/all/disable_ipv6").trim()).toBe("1");
      expect(on("ip", "rule")).toMatch(/1535:\s+from all to 198\.51\.100\.0\/24 lookup main/);
      // A pod of the second ENI would leave by it, as it does for everybody else.
      const there = (address: string): string => `to ${address} from ${onSecond?.address} iif ${veth}`;
      const [, second] = await enis();
      const onSecond = bed
        .addresses()
        .find(({ state, eniId }) => state === "assigned" && eniId === second?.NetworkInterfaceId);
      expect(onSecond).toBeDefined();
      const veth = / dev (eni\w+)/.exec(on("ip", "route", "show", onSecond?.address ?? ""))?.[1] ?? "";
      const deviceTo = (address: string): string | undefined =>
        / dev (eth\d+)/.exec(on("ip", "route", "get", ...there(address).split(" ")))?.[1];
      expect([deviceTo("198.51.100.1"), deviceTo("198.51.101.1")]).toEqual(["eth0", "eth1"]);
      expect(bed.run("verify").status).toBe(0);
    },
    patience,
  );

  test(
    "the internet sees the node, and no pod that EXTERNALSNAT or EXCLUDE_SNAT_CIDRS leave untranslated",
    async () => {
      const publicIp = (await enis())[0]?.Association?.PublicIp;
      expect(publicIp).toBeDefined();
      await until("the internet sees the node", async () => (await seenOutside()) === publicIp);
      await bed.rollOut({ AWS_VPC_K8S_CNI_EXTERNALSNAT: "true" });
      expect(on("iptables", "-t", "nat", "-S")).not.toContain("SNAT --to-source");
      // An internet gateway translates addresses that have a public one; a pod's has none.
      expect(await seenOutside()).toBeUndefined();
      const { internetEcho } = await labStatus(bed.paths);
      await bed.rollOut({
        AWS_VPC_K8S_CNI_EXTERNALSNAT: null,
        AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: `${internetEcho}/32`,
      });
      expect(on("iptables", "-t", "nat", "-S", "AWS-SNAT-CHAIN-0")).toContain(`-d ${internetEcho}/32`);
      expect(await seenOutside()).toBeUndefined();
      await bed.rollOut({ AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: null });
      await until("the internet sees the node", async () => (await seenOutside()) === publicIp);
    },
    patience,
  );

  test(
    "the primary ENI's security groups are given to the others",
    async () => {
      const ec2 = await bed.ec2();
      const [primary] = await enis();
      const { GroupId: group = "" } = await ec2.send(
        new CreateSecurityGroupCommand({ GroupName: "new", Description: "new", VpcId: primary?.VpcId }),
      );
      await ec2.send(
        new ModifyNetworkInterfaceAttributeCommand({
          NetworkInterfaceId: primary?.NetworkInterfaceId,
          Groups: [group],
        }),
      );
      await bed.restartAwsNode();
      await until("every ENI has the group", async () =>
        (await enis()).every(({ Groups = [] }) => Groups.map(({ GroupId }) => GroupId).join() === group),
      );
    },
    patience,
  );

  test(
    "ANNOTATE_POD_IP needs the right to patch pods, and then annotates",
    async () => {
      await bed.rollOut({ ANNOTATE_POD_IP: "true" });
      bed.succeed("run", "noted", "--replicas", "1", "--no-wait");
      const noted = async () =>
        (await bed.kube().list(pods, { namespace: "default", labelSelector: "app=noted" })).items[0];
      await until("the pod's events tell of the failure", async () => {
        const name = (await noted())?.metadata.name;
        return (await bed.warnings()).some(
          ({ reason, involvedObject }) =>
            reason === "FailedCreatePodSandBox" && involvedObject.name === name && name !== undefined,
        );
      });
      const role = await bed.kube().get(clusterRoles, "aws-node");
      await bed.kube().patch(clusterRoles, "aws-node", {
        rules: [...(role.rules ?? []), { apiGroups: [""], resources: ["pods"], verbs: ["patch"] }],
      });
      await until("the pod is annotated", async () => {
        const pod = await noted();
        const address = pod?.metadata.annotations?.["vpc.amazonaws.com/pod-ips"];
        return address !== undefined && address === pod?.status?.podIP;
      });
      await bed.rollOut({ ANNOTATE_POD_IP: null });
    },
    patience,
  );

  test(
    "a cordoned node's pool rests, unless AWS_MANAGE_ENIS_NON_SCHEDULABLE",
    async () => {
      const [name = ""] = (await bed.kube().list(nodes)).items.map(({ metadata }) => metadata.name);
      await bed.kube().patch(nodes, name, { spec: { unschedulable: true } });
      await until("the node has the taint", async () =>
        ((await bed.kube().get(nodes, name)).spec?.taints ?? []).some(
          ({ key }) => key === "node.kubernetes.io/unschedulable",
        ),
      );
      await bed.rollOut({ MAX_ENI: "3" });
      const notDone = JSON.parse(on("curl", "-s", "http://127.0.0.1:61679/v1/decisions")) as {
        reason: { settings: string[] };
      }[];
      expect(notDone.flatMap(({ reason }) => reason.settings)).toContain("AWS_MANAGE_ENIS_NON_SCHEDULABLE");
      expect((await enis()).length).toBe(2);
      await bed.rollOut({ AWS_MANAGE_ENIS_NON_SCHEDULABLE: "true" });
      await until("it grows", async () => (await enis()).length === 3);
      await bed.kube().patch(nodes, name, { spec: { unschedulable: null } });
    },
    patience,
  );

  test(
    "DISABLE_NETWORK_RESOURCE_PROVISIONING and IMDS-only mode: pods are served, EC2 is not changed",
    async () => {
      const before = await enis();
      for (const mode of ["DISABLE_NETWORK_RESOURCE_PROVISIONING", "ENABLE_IMDS_ONLY_MODE"]) {
        await bed.rollOut({ MAX_ENI: null, [mode]: "true" });
        const since = Date.now();
        bed.succeed("run", `more-${mode.length}`, "--replicas", "1");
        const asked = (await latestCalls(bed.paths)).filter(
          ({ at, service }) => at > since && service === "ec2",
        );
        expect(asked.filter(({ action }) => !action.startsWith("Describe"))).toEqual([]);
        if (mode === "ENABLE_IMDS_ONLY_MODE") expect(asked).toEqual([]);
        expect((await enis()).map(({ PrivateIpAddresses = [] }) => PrivateIpAddresses.length)).toEqual(
          before.map(({ PrivateIpAddresses = [] }) => PrivateIpAddresses.length),
        );
        await bed.setEnv({ [mode]: null, MAX_ENI: "3" });
      }
      await bed.rollOut({ MAX_ENI: "3" });
    },
    patience,
  );

  test(
    "an ENI with no_manage=true is let alone, an untagged one unless MANAGE_UNTAGGED_ENI",
    async () => {
      const own = (await enis()).map(({ NetworkInterfaceId = "" }) => NetworkInterfaceId);
      const untagged = await attach(7, {});
      await bed.rollOut({ MANAGE_UNTAGGED_ENI: "false" });
      expect(managed()).toEqual(own.toSorted());
      await bed.rollOut({ MANAGE_UNTAGGED_ENI: null });
      expect(managed()).toEqual([...own, untagged].sort());
      const { TagSet = [] } = (await enis()).find((eni) => eni.NetworkInterfaceId === untagged) ?? {};
      expect(TagSet.map(({ Key }) => Key)).toContain("node.k8s.amazonaws.com/instance_id");
      const noManage = { Key: "node.k8s.amazonaws.com/no_manage", Value: "true" };
      await (await bed.ec2()).send(new CreateTagsCommand({ Resources: [untagged], Tags: [noManage] }));
      await bed.rollOut({ AWS_VPC_K8S_CNI_LOGLEVEL: "INFO" });
      expect(managed()).toEqual(own.toSorted());
    },
    patience,
  );
});
