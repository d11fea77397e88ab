import { expect, test } from "bun:test";
import { observedMode, observedWarm, readAwsNodeEnv } from "./index.ts";
import type { ObservedSubnet } from "./observed.ts";

const subnet = (name: string, tags: Readonly<Record<string, string>> = {}): ObservedSubnet => ({
  subnetId: `subnet-${name}`,
  vpcId: "vpc-1",
  name,
  zone: "us-west-2a",
  cidr: "10.0.0.0/24",
  free: 251,
  tags,
});
const plain = subnet("private-a");
const excluded = subnet("private-a", { "kubernetes.io/role/cni": "0" });
const pods = subnet("pods-a", { "kubernetes.io/role/cni": "1" });
const prefix = { ENABLE_PREFIX_DELEGATION: "true" };
const custom = { AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: "true" };

test.each([
  [{}, [plain], "secondary-ip"],
  [prefix, [plain], "prefix"],
  [custom, [plain, pods], "custom"],
  [{ ...custom, ...prefix }, [plain], "custom-prefix"],
  [{ ENABLE_IPv6: "true", ...prefix }, [plain], "ipv6"],
  [{}, [plain, pods], "discovery"],
  [{ ENABLE_SUBNET_DISCOVERY: "false" }, [plain, pods], "secondary-ip"],
  [prefix, [excluded, pods], "discovery-prefix"],
  // The primary ENI's prefixes, which are of the nodes' subnet, come first and are enough.
  [prefix, [plain, pods], "prefix"],
] as const)("%j with %j runs in the mode %s", (awsNodeEnv, subnets, mode) => {
  expect(observedMode({ awsNodeEnv, subnets })).toBe(mode);
});

test("without aws-node nobody knows the mode", () => {
  expect(observedMode({ subnets: [plain] })).toBeUndefined();
  expect(observedWarm({ subnets: [plain] })).toEqual({});
});

test("the environment of aws-node is read from a list of DaemonSets or from the one", () => {
  const awsNode = {
    kind: "DaemonSet",
    metadata: { name: "aws-node" },
    spec: {
      template: {
        spec: {
          containers: [
            {
              name: "aws-node",
              env: [
                { name: "WARM_IP_TARGET", value: "2" },
                { name: "WARM_ENI_TARGET", value: "many" },
                { name: "MAX_ENI", value: "0" },
                { name: "MY_NODE_NAME", valueFrom: {} },
              ],
            },
          ],
        },
      },
    },
  };
  const env = readAwsNodeEnv({ kind: "List", items: [{ metadata: { name: "kube-proxy" } }, awsNode] });
  expect(env).toEqual(readAwsNodeEnv(awsNode));
  expect(observedWarm({ subnets: [], awsNodeEnv: env })).toEqual({ warmIpTarget: 2 });
  expect(() => readAwsNodeEnv({ items: [] }, "ds.json")).toThrow("ds.json: no DaemonSet aws-node");
});
