import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../../base/clock.ts";
import { noLog } from "../../base/log.ts";
import { seededRandom } from "../../base/random.ts";
import { cniNodes, daemonSets, eniConfigs } from "../../kube/resources.ts";
import type { ApiServer } from "../apiserver/options.ts";
import { createApiServer } from "../apiserver/server.ts";
import { findImage } from "../images/registry.ts";
import { awsNodeDaemonSet, awsNodeManifests } from "./aws-node.ts";

const options = { clusterName: "lab", vpcId: "vpc-1", region: "us-west-2", env: { WARM_IP_TARGET: "5" } };

describe("the objects of the VPC CNI", () => {
  let folder = "";
  let server: ApiServer;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "eniverse-manifests-"));
    const random = seededRandom(1);
    server = createApiServer({ dbPath: ":memory:", tlsDir: folder, clock: realClock, random, log: noLog });
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("are taken by the API server, which then serves their kinds", async () => {
    const { client } = server;
    for (const { resource, object } of awsNodeManifests(options)) await client.create(resource, object);
    const made = await client.get(daemonSets, "aws-node", "kube-system");
    expect(made.spec.template.spec.serviceAccountName).toBe("aws-node");
    const metadata = { name: "us-west-2a" };
    const spec = { subnet: "subnet-1", securityGroups: ["sg-1"] };
    await client.create(eniConfigs, {
      apiVersion: "crd.k8s.amazonaws.com/v1alpha1",
      kind: "ENIConfig",
      metadata,
      spec,
    });
    await client.create(cniNodes, {
      apiVersion: "vpcresources.k8s.aws/v1alpha1",
      kind: "CNINode",
      metadata: { name: "n1" },
      spec: { features: [{ name: "SecurityGroupsForPods" }] },
    });
    expect((await client.get(eniConfigs, "us-west-2a")).spec).toEqual(spec);
  });

  test("look as EKS has them", () => {
    const { spec, metadata } = awsNodeDaemonSet(options);
    const pod = spec.template.spec;
    expect([metadata.namespace, metadata.name]).toEqual(["kube-system", "aws-node"]);
    expect(spec.updateStrategy?.rollingUpdate?.maxUnavailable).toBe("10%");
    expect(pod).toMatchObject({
      hostNetwork: true,
      priorityClassName: "system-node-critical",
      serviceAccountName: "aws-node",
      terminationGracePeriodSeconds: 10,
      tolerations: [{ operator: "Exists" }],
    });
    expect(pod.initContainers?.map(({ name }) => name)).toEqual(["aws-vpc-cni-init"]);
    expect(pod.containers.map(({ name }) => name)).toEqual(["aws-node", "aws-eks-nodeagent"]);
    expect(pod.containers[0]?.image).toBe(
      "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.23.1-eksbuild.1",
    );
    for (const { image } of [...pod.containers, ...(pod.initContainers ?? [])]) {
      expect(findImage(image ?? "")).toBeDefined();
    }
  });

  test("carry the manifest's environment, the caller's over it", () => {
    const [main] = awsNodeDaemonSet(options).spec.template.spec.containers;
    const env = Object.fromEntries((main?.env ?? []).map(({ name, value }) => [name, value]));
    expect(env).toMatchObject({
      WARM_ENI_TARGET: "1",
      WARM_PREFIX_TARGET: "1",
      WARM_IP_TARGET: "5",
      ENABLE_IPv4: "true",
      ENABLE_IPv6: "false",
      NETWORK_POLICY_ENFORCING_MODE: "standard",
      ADDITIONAL_ENI_TAGS: "{}",
      CLUSTER_NAME: "lab",
      VPC_ID: "vpc-1",
      VPC_CNI_VERSION: "v1.23.1",
    });
    expect(main?.env?.find(({ name }) => name === "MY_NODE_NAME")?.valueFrom?.fieldRef?.fieldPath).toBe(
      "spec.nodeName",
    );
  });

  test("tell the init container what it reads of the caller's environment, and no more", () => {
    const env = { ENABLE_IPv6: "true", ENABLE_V6_EGRESS: "true", WARM_IP_TARGET: "5" };
    const { initContainers, containers } = awsNodeDaemonSet({ ...options, env }).spec.template.spec;
    expect(initContainers?.[0]?.env).toEqual([
      { name: "DISABLE_TCP_EARLY_DEMUX", value: "false" },
      { name: "ENABLE_IPv6", value: "true" },
      { name: "ENABLE_V6_EGRESS", value: "true" },
    ]);
    expect(containers[1]?.args).toContain("--enable-ipv6=true");
  });

  test("mount every volume that they name", () => {
    const pod = awsNodeDaemonSet(options).spec.template.spec;
    const volumes = new Set(pod.volumes?.map(({ name }) => name));
    const mounted = [...pod.containers, ...(pod.initContainers ?? [])].flatMap(
      ({ volumeMounts }) => volumeMounts ?? [],
    );
    expect(new Set(mounted.map(({ name }) => name))).toEqual(volumes);
  });
});
