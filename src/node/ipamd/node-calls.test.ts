import { describe, expect, test } from "bun:test";
import { ManualClock } from "../../base/clock.ts";
import { EniverseError } from "../../base/error.ts";
import { noLog } from "../../base/log.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { KubeObject } from "../../kube/objects.ts";
import type { CniNode, EniConfig, Node, Pod } from "../../kube/resources.ts";
import { addCniNodeFeature } from "./cninode.ts";
import { eniConfigName, readEniConfig } from "./eniconfig.ts";
import { EventWriter } from "./events.ts";
import { annotatePod, clearPodAnnotation, podAddressAnnotation } from "./pod-annotation.ts";
import { failureOf } from "./test-node.ts";

/** Objects by name behind get, create and merge patches; patches with a stale revision are refused. */
function fakeKube(objects: Record<string, KubeObject>) {
  const patches: unknown[] = [];
  const created: KubeObject[] = [];
  const find = (name: string): KubeObject => {
    const object = objects[name];
    if (object === undefined) throw new EniverseError("not_found", { attempted: `get ${name}` });
    return object;
  };
  const kube = {
    get: async (_resource: unknown, name: string) => structuredClone(find(name)),
    create: async (_resource: unknown, object: KubeObject) => {
      created.push(object);
      return object;
    },
    patch: async (_resource: unknown, name: string, patch: { metadata?: { resourceVersion?: string } }) => {
      const object = find(name);
      if (patch.metadata?.resourceVersion !== object.metadata.resourceVersion)
        throw new EniverseError("conflict", { attempted: `patch ${name}` });
      patches.push(patch);
      const { metadata, ...rest } = patch as { metadata?: Partial<KubeObject["metadata"]> };
      objects[name] = {
        ...object,
        ...rest,
        metadata: {
          ...object.metadata,
          annotations: { ...object.metadata.annotations, ...metadata?.annotations },
          resourceVersion: String(Number(object.metadata.resourceVersion) + 1),
        },
      };
      return objects[name];
    },
  };
  return { kube: kube as unknown as KubeClient, objects, patches, created };
}

const pod = (annotations: Record<string, string> = {}): Pod =>
  ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web-0", namespace: "default", resourceVersion: "1", annotations },
    spec: { containers: [] },
  }) as unknown as Pod;

describe("S33: the annotation with a pod's address", () => {
  const clock = new ManualClock();
  const web = { namespace: "default", name: "web-0" };

  test("is set, kept when it is right, and overwritten", async () => {
    const { kube, objects, patches } = fakeKube({ "web-0": pod() });
    await annotatePod(kube, web, "10.0.0.1", clock);
    await annotatePod(kube, web, "10.0.0.1", clock);
    expect(patches).toHaveLength(1);
    await annotatePod(kube, web, "10.0.0.2", clock);
    expect(objects["web-0"]?.metadata.annotations?.[podAddressAnnotation]).toBe("10.0.0.2");
  });

  test("is emptied by the release of its own address only", async () => {
    const { kube, objects } = fakeKube({ "web-0": pod({ [podAddressAnnotation]: "10.0.0.2" }) });
    expect(String(await failureOf(clearPodAnnotation(kube, web, "10.0.0.1", clock)))).toContain(
      "released IP 10.0.0.1 does not match existing annotation. Not patching pod",
    );
    await clearPodAnnotation(kube, web, "10.0.0.2", clock);
    expect(objects["web-0"]?.metadata.annotations?.[podAddressAnnotation]).toBe("");
  });

  test("a pod that is gone is fine when its address is released, an error when it is assigned", async () => {
    const { kube } = fakeKube({});
    await clearPodAnnotation(kube, web, "10.0.0.2", clock);
    const failure = await failureOf(annotatePod(kube, web, "10.0.0.1", clock));
    expect(failure).toMatchObject({ code: "not_found" });
  });
});

describe("S34: features of the CNINode", () => {
  const node = (features: NonNullable<CniNode["spec"]>["features"] = []): CniNode => ({
    apiVersion: "vpcresources.k8s.aws/v1alpha1",
    kind: "CNINode",
    metadata: { name: "node-1", resourceVersion: "1" },
    spec: { features },
  });

  test("are added, not written twice, and replaced under the same name", async () => {
    const { kube, objects, patches } = fakeKube({ "node-1": node() });
    const feature = { name: "CustomNetworking", value: "zone-a" } as const;
    expect(await addCniNodeFeature(kube, "node-1", { name: "SecurityGroupsForPods", value: "" })).toBe(true);
    expect(await addCniNodeFeature(kube, "node-1", feature)).toBe(true);
    expect(await addCniNodeFeature(kube, "node-1", feature)).toBe(false);
    expect(await addCniNodeFeature(kube, "node-1", { ...feature, value: "zone-b" })).toBe(true);
    expect(patches).toHaveLength(3);
    expect((objects["node-1"] as CniNode).spec?.features).toEqual([
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
    const config = (spec: EniConfig["spec"]): EniConfig => ({
      apiVersion: "crd.k8s.amazonaws.com/v1alpha1",
      kind: "ENIConfig",
      metadata: { name: "a" },
      spec,
    });
    const { kube } = fakeKube({ good: config({ subnet: "subnet-9" }), empty: config({}) });
    expect(await readEniConfig(kube, "good")).toEqual({
      name: "good",
      subnetId: "subnet-9",
      securityGroups: [],
    });
    expect(String(await failureOf(readEniConfig(kube, "empty")))).toContain("no spec.subnet");
    expect(String(await failureOf(readEniConfig(kube, "none")))).toContain(
      "eniconfig: eniconfig is not available",
    );
  });
});

test("a missing permission is an event about the aws-node pod, once in a while", async () => {
  const { kube, created } = fakeKube({});
  const clock = new ManualClock(1_000_000);
  const writer = new EventWriter({ kube, nodeName: "node-1", podName: "aws-node-x", log: noLog, clock });
  writer.missingPermission("CreateTags", "no");
  writer.missingPermission("CreateTags", "no");
  writer.missingPermission("AttachNetworkInterface", "no");
  await writer.settled();
  expect(created).toMatchObject([
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
  expect(created).toHaveLength(3);
});
