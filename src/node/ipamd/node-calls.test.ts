import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../base/clock.ts";
import { noLog } from "../../base/log.ts";
import type { CniNode, EniConfig, Node, Pod } from "../../kube/resources.ts";
import { addCniNodeFeature } from "./cninode.ts";
import { eniConfigName, readEniConfig } from "./eniconfig.ts";
import { EventWriter } from "./events.ts";
import { FakeKube } from "./fake-kube.ts";
import { annotatePod, clearPodAnnotation, podAddressAnnotation } from "./pod-annotation.ts";
import { failureOf } from "./test-node.ts";

const pod = (annotations: Record<string, string> = {}): Pod =>
  ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web-0", namespace: "default", annotations },
    spec: { containers: [] },
  }) as unknown as Pod;

describe("S33: the annotation with a pod's address", () => {
  const clock = new ManualClock();
  const web = { namespace: "default", name: "web-0" };

  test("is set, kept when it is right, and overwritten", async () => {
    const kube = new FakeKube([pod()]);
    await annotatePod(kube.client, web, "10.0.0.1", clock);
    await annotatePod(kube.client, web, "10.0.0.1", clock);
    expect(kube.patches).toHaveLength(1);
    await annotatePod(kube.client, web, "10.0.0.2", clock);
    expect(kube.get<Pod>("Pod", "web-0").metadata.annotations?.[podAddressAnnotation]).toBe("10.0.0.2");
  });

  test("is emptied by the release of its own address only", async () => {
    const kube = new FakeKube([pod({ [podAddressAnnotation]: "10.0.0.2" })]);
    expect(String(await failureOf(clearPodAnnotation(kube.client, web, "10.0.0.1", clock)))).toContain(
      "released IP 10.0.0.1 does not match existing annotation. Not patching pod",
    );
    await clearPodAnnotation(kube.client, web, "10.0.0.2", clock);
    expect(kube.get<Pod>("Pod", "web-0").metadata.annotations?.[podAddressAnnotation]).toBe("");
  });

  test("a pod that is gone is fine when its address is released, an error when it is assigned", async () => {
    const kube = new FakeKube();
    await clearPodAnnotation(kube.client, web, "10.0.0.2", clock);
    const failure = await failureOf(annotatePod(kube.client, web, "10.0.0.1", clock));
    expect(failure).toMatchObject({ code: "not_found" });
  });
});

describe("S34: features of the CNINode", () => {
  const node = (features: NonNullable<CniNode["spec"]>["features"] = []): CniNode => ({
    apiVersion: "vpcresources.k8s.aws/v1alpha1",
    kind: "CNINode",
    metadata: { name: "node-1" },
    spec: { features },
  });

  test("are added, not written twice, and replaced under the same name", async () => {
    const kube = new FakeKube([node()]);
    const feature = { name: "CustomNetworking", value: "zone-a" } as const;
    expect(await addCniNodeFeature(kube.client, "node-1", { name: "SecurityGroupsForPods", value: "" })).toBe(
      true,
    );
    expect(await addCniNodeFeature(kube.client, "node-1", feature)).toBe(true);
    expect(await addCniNodeFeature(kube.client, "node-1", feature)).toBe(false);
    expect(await addCniNodeFeature(kube.client, "node-1", { ...feature, value: "zone-b" })).toBe(true);
    expect(kube.patches).toHaveLength(3);
    expect(kube.get<CniNode>("CNINode", "node-1").spec?.features).toEqual([
      { name: "SecurityGroupsForPods", value: "" },
      { name: "CustomNetworking", value: "zone-b" },
    ]);
  });
});

describe("the ENIConfig of a node", () => {
  const keys = { annotation: "k8s.amazonaws.com/eniConfig", label: "topology.kubernetes.io/zone" };
  const node = (labels: Record<string, string>, annotations: Record<string, string> = {}): Node => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n", labels, annotations },
  });

  test("is named by the external label, the annotation, the label, or is the default", () => {
    const zone = { "topology.kubernetes.io/zone": "us-west-2a" };
    expect(
      eniConfigName(
        node({ ...zone, "vpc.amazonaws.com/externalEniConfig": "x" }, { [keys.annotation]: "y" }),
        keys,
      ),
    ).toBe("x");
    expect(eniConfigName(node(zone, { [keys.annotation]: "y" }), keys)).toBe("y");
    expect(eniConfigName(node(zone), keys)).toBe("us-west-2a");
    expect(eniConfigName(node({}), keys)).toBe("default");
    expect(eniConfigName(undefined, keys)).toBe("default");
  });

  test("must exist and name a subnet", async () => {
    const config = (name: string, spec: EniConfig["spec"]): EniConfig => ({
      apiVersion: "crd.k8s.amazonaws.com/v1alpha1",
      kind: "ENIConfig",
      metadata: { name },
      spec,
    });
    const kube = new FakeKube([config("good", { subnet: "subnet-9" }), config("empty", {})]);
    expect(await readEniConfig(kube.client, "good")).toEqual({
      name: "good",
      subnetId: "subnet-9",
      securityGroups: [],
    });
    expect(String(await failureOf(readEniConfig(kube.client, "empty")))).toContain("no spec.subnet");
    expect(String(await failureOf(readEniConfig(kube.client, "none")))).toContain(
      "eniconfig: eniconfig is not available",
    );
  });
});

test("a missing permission is an event about the aws-node pod, once in a while", async () => {
  const kube = new FakeKube();
  const clock = new ManualClock(1_000_000);
  const writer = new EventWriter({
    kube: kube.client,
    nodeName: "node-1",
    podName: "aws-node-x",
    log: noLog,
    clock,
  });
  writer.missingPermission("CreateTags", "no");
  writer.missingPermission("CreateTags", "no");
  writer.missingPermission("AttachNetworkInterface", "no");
  await writer.settled();
  expect(kube.created).toMatchObject([
    {
      reason: "MissingIAMPermissions",
      action: "ec2:CreateTags",
      type: "Warning",
      reportingController: "aws-node",
      regarding: { kind: "Pod", namespace: "kube-system", name: "aws-node-x" },
    },
    { action: "ec2:AttachNetworkInterface" },
  ]);
  await clock.advance(300_000);
  writer.missingPermission("CreateTags", "no");
  await writer.settled();
  expect(kube.created).toHaveLength(3);
});
