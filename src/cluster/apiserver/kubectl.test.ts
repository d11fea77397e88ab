// The real kubectl against a server over TLS on loopback. What the controllers, the scheduler and a kubelet would do
// is done by hand here: the API server is what is tested.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../../base/clock.ts";
import { noLog } from "../../base/log.ts";
import { seededRandom } from "../../base/random.ts";
import { startInformer } from "../../kube/informer.ts";
import {
  type Condition,
  deployments,
  events,
  nodes,
  type Pod,
  pods,
  replicaSets,
} from "../../kube/resources.ts";
import type { ApiServer } from "./options.ts";
import { createApiServer } from "./server.ts";

// Each call is a process of its own.
setDefaultTimeout(60_000);

const program = process.env.KUBECTL ?? Bun.which("kubectl");
const folder = mkdtempSync(join(tmpdir(), "kubectl-"));
let server: ApiServer;

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  args: readonly string[],
  options: { stdin?: string; env?: Record<string, string> } = {},
): Promise<Outcome> {
  const child = Bun.spawn([program ?? "kubectl", ...args], {
    env: { ...process.env, HOME: folder, KUBECONFIG: join(folder, "config"), ...options.env },
    stdin: new Blob([options.stdin ?? ""]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, out, err };
}

/** The output of a call that must succeed; words are split at spaces. */
async function kubectl(
  line: string,
  options: { stdin?: string; env?: Record<string, string> } = {},
): Promise<string> {
  const { code, out, err } = await run(line.split(" "), options);
  if (code !== 0) throw new Error(`kubectl ${line}: ${code}\n${out}${err}`);
  return out;
}

/** The rows of a table, each cut at runs of two or more spaces. */
function rows(table: string): string[][] {
  return table
    .trimEnd()
    .split("\n")
    .map((row) => row.trimEnd().split(/\s{2,}/));
}

async function written(name: string, manifest: object): Promise<string> {
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify(manifest));
  return file;
}

function web(more: { image?: string; env?: object[]; replicas?: number } = {}): object {
  const container = {
    name: "c",
    image: more.image ?? "echo:1",
    env: more.env ?? [
      { name: "A", value: "1" },
      { name: "B", value: "2" },
    ],
    ports: [{ containerPort: 80 }],
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", labels: { app: "web" } },
    spec: {
      replicas: more.replicas ?? 2,
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [container] } },
    },
  };
}

const node = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "n1", labels: { "kubernetes.io/os": "linux" } },
  spec: { providerID: "aws:///us-west-2a/i-1" },
  status: {
    capacity: { cpu: "2", memory: "8Gi", pods: "29" },
    allocatable: { cpu: "1930m", memory: "7Gi", pods: "29" },
    conditions: [{ type: "Ready", status: "True", reason: "KubeletReady", message: "ready" }] as Condition[],
    addresses: [{ type: "InternalIP" as const, address: "10.0.1.4" }],
  },
};

/** What a kubelet says of a pod that runs. */
async function runPod(name: string, namespace = "default"): Promise<void> {
  await server.client.create(
    { group: "", version: "v1", plural: "bindings", kind: "Binding", namespaced: true },
    {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name, namespace },
      target: { kind: "Node", name: "n1" },
    } as never,
  );
  const pod = await server.client.get(pods, name, namespace);
  await server.client.updateStatus(pods, {
    ...pod,
    status: {
      ...pod.status,
      phase: "Running",
      podIP: "10.0.1.20",
      podIPs: [{ ip: "10.0.1.20" }],
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: pod.spec.containers.map((container) => ({
        name: container.name,
        ready: true,
        restartCount: 0,
        image: container.image ?? "",
        imageID: "",
        state: { running: { startedAt: "2024-05-01T10:00:00Z" } },
      })),
    },
  });
}

/** Ends pods of the node at once when they are to go, as a quick kubelet does. */
function endPodsQuickly(): { stop(): void } {
  const end = ({ metadata }: Pod): void => {
    if (metadata.deletionTimestamp === undefined) return;
    const options = { namespace: metadata.namespace ?? "", gracePeriodSeconds: 0 };
    server.client.delete(pods, metadata.name, options).catch(() => {});
  };
  return startInformer<Pod>(server.client, pods, { onAdd: end, onUpdate: end });
}

beforeAll(async () => {
  server = createApiServer({
    dbPath: ":memory:",
    tlsDir: folder,
    clock: realClock,
    random: seededRandom(1),
    log: noLog,
    readPodLog: async (pod, { container, follow, tailLines }) =>
      new Blob([`${pod.node} ${pod.name} ${container} ${follow} ${tailLines ?? "all"}\n`]).stream(),
  });
  const { url } = server.listen("127.0.0.1", 0);
  writeFileSync(join(folder, "config"), server.kubeconfig(url), { mode: 0o600 });
  await server.client.create(nodes, node);
});

afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(program === null)(`kubectl (${program ?? "skipped: there is no kubectl"})`, () => {
  test("finds out what there is", async () => {
    expect(await kubectl("version")).toContain("v1.32.0-eniverse");
    expect(await kubectl("api-resources")).toMatch(/deployments +deploy +apps\/v1 +true +Deployment/);
    expect((await kubectl("get nodes -o wide")).split("\n")[0]).toMatch(
      /NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP +EXTERNAL-IP +OS-IMAGE +KERNEL-VERSION +CONTAINER-RUNTIME/,
    );
    expect(await kubectl("explain deployment.spec.strategy.rollingUpdate")).toContain("maxSurge");
    expect(await kubectl("auth can-i create pods")).toBe("yes\n");
    expect(await kubectl("get all -A")).toContain("service/kubernetes");
  });

  test("applies, and applies again", async () => {
    expect(await kubectl(`apply -f ${await written("web", web())}`)).toBe("deployment.apps/web created\n");
    expect(await kubectl(`apply -f ${await written("web", web())}`)).toBe("deployment.apps/web unchanged\n");
    const changed = await written(
      "web",
      web({
        image: "echo:2",
        env: [
          { name: "C", value: "3" },
          { name: "A", value: "1" },
        ],
      }),
    );
    expect((await run(["diff", "-f", changed])).code).toBe(1);
    expect(await kubectl(`apply -f ${changed} --dry-run=server`)).toContain("configured (server dry run)");
    expect(await kubectl(`apply -f ${changed}`)).toBe("deployment.apps/web configured\n");
    // Three ways: what the file no longer says is gone, what it says is there.
    expect(
      await kubectl("get deployment web -o jsonpath={.spec.template.spec.containers[0].env[*].name}"),
    ).toBe("C A");
    expect(await kubectl(`apply --server-side -f ${changed}`)).toContain("serverside-applied");
  });

  test("says what is wrong with an object as it does elsewhere", async () => {
    const unknown = { ...web(), spec: { ...(web() as { spec: object }).spec, replicaz: 1 } };
    const rejected = await run(["create", "-f", await written("unknown", unknown)]);
    expect(rejected.err).toMatch(/unknown field "?(spec\.)?replicaz/);
    const bad = {
      ...web(),
      metadata: { name: "bad" },
      spec: { ...(web() as { spec: object }).spec, selector: { matchLabels: { app: "x" } } },
    };
    const invalid = await run(["create", "-f", await written("bad", bad)]);
    expect([invalid.code, invalid.err]).toEqual([
      1,
      'The Deployment "bad" is invalid: spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`\n',
    ]);
    const twice = await run(["create", "-f", await written("web", web())]);
    expect(twice.err).toContain('deployments.apps "web" already exists');
    expect((await run(["get", "pod", "none"])).err).toBe(
      'Error from server (NotFound): pods "none" not found\n',
    );
  });

  test("scales, sets, edits and rolls a deployment", async () => {
    expect(await kubectl("scale deployment web --replicas=5")).toBe("deployment.apps/web scaled\n");
    expect(await kubectl("set env deployment/web X=1 C-")).toContain("env updated");
    expect(await kubectl("set image deployment/web c=echo:3")).toContain("image updated");
    expect(await kubectl("rollout restart deployment web")).toContain("restarted");
    expect(await kubectl('patch deployment web -p {"spec":{"replicas":3}}')).toContain("patched");
    expect(
      await kubectl(
        'patch deployment web --type=json -p [{"op":"replace","path":"/spec/replicas","value":4}]',
      ),
    ).toContain("patched");
    const env = { KUBE_EDITOR: "sed -i s/replicas:.4/replicas:\\ 6/" };
    expect(await kubectl("edit deployment web", { env })).toContain("edited");
    const found = await server.client.get(deployments, "web", "default");
    expect(found.spec.replicas).toBe(6);
    expect(found.spec.template.spec.containers[0]).toMatchObject({
      image: "echo:3",
      env: [
        { name: "A", value: "1" },
        { name: "X", value: "1" },
      ],
    });
    expect(found.spec.template.metadata?.annotations?.["kubectl.kubernetes.io/restartedAt"]).toBeDefined();

    const waiting = run(["rollout", "status", "deployment", "web", "--timeout=20s"]);
    const counts = { replicas: 6, updatedReplicas: 6, readyReplicas: 6, availableReplicas: 6 };
    const observedGeneration = found.metadata.generation ?? 0;
    await server.client.updateStatus(deployments, { ...found, status: { ...counts, observedGeneration } });
    expect((await waiting).out).toContain('deployment "web" successfully rolled out');
    expect(rows(await kubectl("get deployments"))[1]?.slice(0, 4)).toEqual(["web", "6/6", "6", "6"]);
    const described = await kubectl("describe deployment web");
    expect(described).toContain("6 desired | 6 updated | 6 total | 6 available | 0 unavailable");
  });

  test("shows the history of a rollout", async () => {
    const owner = await server.client.get(deployments, "web", "default");
    for (const revision of ["1", "2"]) {
      await server.client.create(replicaSets, {
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        metadata: {
          name: `web-${revision}`,
          namespace: "default",
          labels: { app: "web" },
          annotations: { "deployment.kubernetes.io/revision": revision },
          ownerReferences: [
            {
              apiVersion: "apps/v1",
              kind: "Deployment",
              name: "web",
              uid: owner.metadata.uid ?? "",
              controller: true,
            },
          ],
        },
        spec: { replicas: 0, selector: { matchLabels: { app: "web" } }, template: owner.spec.template },
      });
    }
    expect(await kubectl("rollout history deployment web")).toMatch(
      /REVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>/,
    );
    await kubectl("delete deployment web");
    expect(await kubectl("get rs -o name")).toBe("");
  });

  test("creates from the command line", async () => {
    expect(await kubectl("create deployment made --image=echo --replicas=2")).toBe(
      "deployment.apps/made created\n",
    );
    expect(await kubectl("create namespace team")).toBe("namespace/team created\n");
    expect(await kubectl("create configmap settings --from-literal=a=b -n team")).toBe(
      "configmap/settings created\n",
    );
    expect(await kubectl("create secret generic hidden --from-literal=a=b -n team")).toBe(
      "secret/hidden created\n",
    );
    expect(await kubectl("create serviceaccount robot -n team")).toBe("serviceaccount/robot created\n");
    expect(await kubectl("expose deployment made --port=80 --target-port=8080")).toBe(
      "service/made exposed\n",
    );
    expect(await kubectl("run single --image=echo --restart=Never")).toBe("pod/single created\n");
    expect(await kubectl("get configmap settings -n team -o jsonpath={.data.a}")).toBe("b");
    expect(await kubectl("get service made -o jsonpath={.spec.ports[0].targetPort}")).toBe("8080");
    expect(await kubectl("delete namespace team")).toContain('namespace "team" deleted');
    await kubectl("delete deployment,service,pod made single --ignore-not-found");
  });

  test("labels, annotates, taints, cordons", async () => {
    await kubectl("label node n1 zone=a");
    expect(await kubectl("get nodes -l zone=a -o name")).toBe("node/n1\n");
    await kubectl("label node n1 zone-");
    await kubectl("annotate node n1 note=here");
    await kubectl("taint node n1 dedicated=x:NoSchedule");
    await kubectl("cordon n1");
    expect(rows(await kubectl("get nodes"))[1]?.[1]).toBe("Ready,SchedulingDisabled");
    expect(await kubectl("describe node n1")).toMatch(/Taints: +dedicated=x:NoSchedule\s/);
    await kubectl("uncordon n1");
    await kubectl("taint node n1 dedicated-");
    const found = await server.client.get(nodes, "n1");
    expect(found.metadata.annotations?.note).toBe("here");
    expect(found.spec?.taints ?? []).toEqual([]);
    expect(found.spec?.unschedulable ?? false).toBe(false);
  });

  test("shows pods as tables, YAML and events", async () => {
    await kubectl("apply -f -", {
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
    expect(rows(await kubectl("get pods"))).toEqual([
      ["NAME", "READY", "STATUS", "RESTARTS", "AGE"],
      ["p1", "0/2", "Pending", "0", expect.any(String) as unknown as string],
    ]);
    await runPod("p1");
    expect(rows(await kubectl("get pods -o wide --no-headers"))[0]).toMatchObject([
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
    expect(rows(await kubectl("get pods -A"))[0]?.[0]).toBe("NAMESPACE");
    expect(await kubectl("get pods --field-selector spec.nodeName=n1,status.phase=Running -o name")).toBe(
      "pod/p1\n",
    );
    expect(await kubectl("get pods -l app=solo -o jsonpath={.items[*].metadata.name}")).toBe("p1");
    expect(await kubectl("get pod p1 -o yaml")).toContain("podIP: 10.0.1.20");
    expect(
      await kubectl("get pods --sort-by=.metadata.name -o custom-columns=N:.metadata.name,I:.status.podIP"),
    ).toMatch(/p1 +10.0.1.20/);
    const uid = (await server.client.get(pods, "p1", "default")).metadata.uid ?? "";
    await server.client.create(events, {
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
    expect(await kubectl("describe pod p1")).toMatch(
      /Warning +FailedCreatePodSandBox .*kubelet.* failed to assign an IP address/,
    );
    expect(rows(await kubectl("get events"))[1]?.slice(1, 4)).toEqual([
      "Warning",
      "FailedCreatePodSandBox",
      "pod/p1",
    ]);
    expect(await kubectl("describe node n1")).toMatch(/default +p1 /);
  });

  test("reads logs", async () => {
    expect(await kubectl("logs p1 -c side --tail=5")).toBe("n1 p1 side false 5\n");
    expect(await kubectl("logs -f p1 -c main")).toContain("n1 p1 main true");
    expect((await run(["logs", "p1", "-c", "none"])).err).toContain("container none is not valid for pod p1");
  });

  test("watches and waits", async () => {
    const child = Bun.spawn([program ?? "kubectl", "get", "pods", "-w", "-l", "app=watched"], {
      env: { ...process.env, KUBECONFIG: join(folder, "config"), HOME: folder },
      stdout: "pipe",
      stderr: "ignore",
    });
    const waiting = run(["wait", "--for=condition=Ready", "pod/p2", "--timeout=20s"]);
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p2", namespace: "default", labels: { app: "watched" } },
      spec: { containers: [{ name: "c", image: "echo" }] },
    };
    await server.client.create(pods, pod);
    let seen = "";
    for await (const chunk of child.stdout) {
      seen += new TextDecoder().decode(chunk);
      if (/Pending/.test(seen) && !/Running/.test(seen)) await runPod("p2").catch(() => {});
      if (/Running/.test(seen)) child.kill();
    }
    expect(seen).toMatch(/p2 +0\/1 +Pending[\s\S]*p2 +1\/1 +Running/);
    // `wait` asks once: when the pod was not yet there, it is asked again.
    const first = await waiting;
    const said =
      first.code === 0 ? first.out : await kubectl("wait --for=condition=Ready pod/p2 --timeout=20s");
    expect(said).toBe("pod/p2 condition met\n");
  });

  test("drains a node and deletes pods", async () => {
    const kubelet = endPodsQuickly();
    try {
      expect(await kubectl("delete pod p2")).toContain('pod "p2" deleted');
      expect(await kubectl("drain n1 --force --ignore-daemonsets")).toMatch(/node\/n1 (drained|evicted)/);
      expect(await kubectl("get pods -o name")).toBe("");
      await kubectl("uncordon n1");
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
    await kubectl(`apply -f ${await written("crd", definition)}`);
    await kubectl("wait --for=condition=Established crd/cninodes.vpcresources.k8s.aws --timeout=10s");
    const resource = {
      apiVersion: "vpcresources.k8s.aws/v1alpha1",
      kind: "CNINode",
      metadata: { name: "n1" },
      spec: { features: [{ name: "SecurityGroupsForPods" }] },
    };
    const file = await written("cninode", resource);
    expect(await kubectl(`apply -f ${file}`)).toContain("created");
    expect(await kubectl(`apply -f ${file}`)).toContain("unchanged");
    expect(rows(await kubectl("get cnd"))).toEqual([
      ["NAME", "FEATURES"],
      ["n1", '[{"name":"SecurityGroupsForPods"}]'],
    ]);
    expect(await kubectl("explain cninode.spec.features")).toContain("name");
    await kubectl("delete crd cninodes.vpcresources.k8s.aws");
    expect((await run(["get", "cnd"])).code).toBe(1);
  });
});
