import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { events, nodes, pods } from "../../kube/resources.ts";
import { addNode, endPodsQuickly, KubectlStage, program, rows, runPod, suiteName } from "./kubectl-stage.ts";

// Each call is a process of its own.
setDefaultTimeout(60_000);

describe.skipIf(program === null)(suiteName, () => {
  let stage: KubectlStage;
  beforeAll(async () => {
    stage = new KubectlStage();
    await addNode(stage.server);
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  test("labels, annotates, taints, cordons", async () => {
    await stage.succeed("label node n1 zone=a");
    expect(await stage.succeed("get nodes -l zone=a -o name")).toBe("node/n1\n");
    await stage.succeed("label node n1 zone-");
    await stage.succeed("annotate node n1 note=here");
    await stage.succeed("taint node n1 dedicated=x:NoSchedule");
    await stage.succeed("cordon n1");
    expect(rows(await stage.succeed("get nodes"))[1]?.[1]).toBe("Ready,SchedulingDisabled");
    expect(await stage.succeed("describe node n1")).toMatch(/Taints: +dedicated=x:NoSchedule\s/);
    await stage.succeed("uncordon n1");
    await stage.succeed("taint node n1 dedicated-");
    const found = await stage.server.client.get(nodes, "n1");
    expect(found.metadata.annotations?.note).toBe("here");
    expect(found.spec?.taints ?? []).toEqual([]);
    expect(found.spec?.unschedulable ?? false).toBe(false);
  });

  test("shows pods as tables, YAML and events", async () => {
    await stage.succeed("apply -f -", {
      stdin: JSON.stringify({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "p1", labels: { app: "solo" } },
        spec: {
          containers: [
            { name: "main", image: "echo:1" },
            { name: "side", image: "echo:2" },
          ],
        },
      }),
    });
    expect(rows(await stage.succeed("get pods"))).toEqual([
      ["NAME", "READY", "STATUS", "RESTARTS", "AGE"],
      ["p1", "0/2", "Pending", "0", expect.any(String) as unknown as string],
    ]);
    await runPod(stage.server, "p1");
    expect(rows(await stage.succeed("get pods -o wide --no-headers"))[0]).toMatchObject([
      "p1",
      "2/2",
      "Running",
      "0",
      expect.anything(),
      "10.0.1.20",
      "n1",
      "<none>",
      "<none>",
    ]);
    expect(rows(await stage.succeed("get pods -A"))[0]?.[0]).toBe("NAMESPACE");
    expect(
      await stage.succeed("get pods --field-selector spec.nodeName=n1,status.phase=Running -o name"),
    ).toBe("pod/p1\n");
    expect(await stage.succeed("get pods -l app=solo -o jsonpath={.items[*].metadata.name}")).toBe("p1");
    expect(await stage.succeed("get pod p1 -o yaml")).toContain("podIP: 10.0.1.20");
    expect(
      await stage.succeed(
        "get pods --sort-by=.metadata.name -o custom-columns=N:.metadata.name,I:.status.podIP",
      ),
    ).toMatch(/p1 +10.0.1.20/);
    const uid = (await stage.server.client.get(pods, "p1", "default")).metadata.uid ?? "";
    await stage.server.client.create(events, {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "p1.1", namespace: "default" },
      involvedObject: { kind: "Pod", name: "p1", namespace: "default", uid },
      reason: "FailedCreatePodSandBox",
      message: 'plugin type="aws-cni" failed: add cmd: failed to assign an IP address to container',
      type: "Warning",
      count: 3,
      firstTimestamp: new Date().toISOString(),
      lastTimestamp: new Date().toISOString(),
      source: { component: "kubelet", host: "n1" },
    });
    expect(await stage.succeed("describe pod p1")).toMatch(
      /Warning +FailedCreatePodSandBox .*kubelet.* failed to assign an IP address/,
    );
    expect(rows(await stage.succeed("get events"))[1]?.slice(1, 4)).toEqual([
      "Warning",
      "FailedCreatePodSandBox",
      "pod/p1",
    ]);
    expect(await stage.succeed("describe node n1")).toMatch(/default +p1 /);
  });

  test("reads logs", async () => {
    expect(await stage.succeed("logs p1 -c side --tail=5")).toBe("n1 p1 side false 5\n");
    expect(await stage.succeed("logs -f p1 -c main")).toContain("n1 p1 main true");
    expect((await stage.run(["logs", "p1", "-c", "none"])).err).toContain(
      "container none is not valid for pod p1",
    );
  });

  test("watches and waits", async () => {
    const child = stage.start(["get", "pods", "-w", "-l", "app=watched"]);
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p2", namespace: "default", labels: { app: "watched" } },
      spec: { containers: [{ name: "c", image: "echo" }] },
    };
    await stage.server.client.create(pods, pod);
    const waiting = stage.succeed("wait --for=condition=Ready pod/p2 --timeout=20s");
    let seen = "";
    for await (const chunk of child.stdout) {
      seen += new TextDecoder().decode(chunk);
      if (/Pending/.test(seen) && !/Running/.test(seen)) await runPod(stage.server, "p2").catch(() => {});
      if (/Running/.test(seen)) child.kill();
    }
    expect(seen).toMatch(/p2 +0\/1 +Pending[\s\S]*p2 +1\/1 +Running/);
    expect(await waiting).toBe("pod/p2 condition met\n");
  });

  test("drains a node and deletes pods", async () => {
    const kubelet = endPodsQuickly(stage.server);
    try {
      expect(await stage.succeed("delete pod p2")).toContain('pod "p2" deleted');
      expect(await stage.succeed("drain n1 --force --ignore-daemonsets")).toMatch(
        /node\/n1 (drained|evicted)/,
      );
      expect(await stage.succeed("get pods -o name")).toBe("");
      await stage.succeed("uncordon n1");
    } finally {
      kubelet.stop();
    }
  });

  test("defines and uses custom resources", async () => {
    const definition = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "cninodes.vpcresources.k8s.aws" },
      spec: {
        group: "vpcresources.k8s.aws",
        scope: "Cluster",
        names: { plural: "cninodes", singular: "cninode", kind: "CNINode", shortNames: ["cnd"] },
        versions: [
          {
            name: "v1alpha1",
            served: true,
            storage: true,
            additionalPrinterColumns: [{ name: "Features", type: "string", jsonPath: ".spec.features" }],
            schema: {
              openAPIV3Schema: {
                type: "object",
                properties: {
                  spec: {
                    type: "object",
                    properties: {
                      features: {
                        type: "array",
                        items: {
                          type: "object",
                          properties: { name: { type: "string" }, value: { type: "string" } },
                        },
                      },
                    },
                  },
                },
              },
            },
          },
        ],
      },
    };
    await stage.succeed(`apply -f ${stage.written("crd", definition)}`);
    await stage.succeed("wait --for=condition=Established crd/cninodes.vpcresources.k8s.aws --timeout=10s");
    const resource = {
      apiVersion: "vpcresources.k8s.aws/v1alpha1",
      kind: "CNINode",
      metadata: { name: "n1" },
      spec: { features: [{ name: "SecurityGroupsForPods" }] },
    };
    const file = stage.written("cninode", resource);
    expect(await stage.succeed(`apply -f ${file}`)).toContain("created");
    expect(await stage.succeed(`apply -f ${file}`)).toContain("unchanged");
    expect(rows(await stage.succeed("get cnd"))).toEqual([
      ["NAME", "FEATURES"],
      ["n1", '[{"name":"SecurityGroupsForPods"}]'],
    ]);
    expect(await stage.succeed("explain cninode.spec.features")).toContain("name");
    await stage.succeed("delete crd cninodes.vpcresources.k8s.aws");
    expect((await stage.run(["get", "cnd"])).code).toBe(1);
  });
});
