import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { daemonSets, deployments, replicaSets } from "../../kube/resources.ts";
import { addNode, KubectlStage, program, rows, suiteName, web } from "./kubectl-stage.ts";

// Each call is a process of its own.
setDefaultTimeout(60_000);

describe.skipIf(program === null)(suiteName, () => {
  let stage: KubectlStage;
  beforeAll(async () => {
    stage = new KubectlStage();
    await addNode(stage.server);
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  test("finds out what there is", async () => {
    expect(await stage.succeed("version")).toContain("v1.33.0-eks-eniverse");
    expect(await stage.succeed("api-resources")).toMatch(/deployments +deploy +apps\/v1 +true +Deployment/);
    expect((await stage.succeed("get nodes -o wide")).split("\n")[0]).toMatch(
      /NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP +EXTERNAL-IP +OS-IMAGE +KERNEL-VERSION +CONTAINER-RUNTIME/,
    );
    expect(await stage.succeed("explain deployment.spec.strategy.rollingUpdate")).toContain("maxSurge");
    expect(await stage.succeed("auth can-i create pods")).toBe("yes\n");
    expect(await stage.succeed("get all -A")).toContain("service/kubernetes");
  });

  test("applies, and applies again", async () => {
    expect(await stage.succeed(`apply -f ${stage.written("web", web())}`)).toBe(
      "deployment.apps/web created\n",
    );
    expect(await stage.succeed(`apply -f ${stage.written("web", web())}`)).toBe(
      "deployment.apps/web unchanged\n",
    );
    const changed = stage.written(
      "web",
      web({
        image: "echo:2",
        env: [
          { name: "C", value: "3" },
          { name: "A", value: "1" },
        ],
      }),
    );
    expect((await stage.run(["diff", "-f", changed])).code).toBe(1);
    expect(await stage.succeed(`apply -f ${changed} --dry-run=server`)).toContain(
      "configured (server dry run)",
    );
    expect(await stage.succeed(`apply -f ${changed}`)).toBe("deployment.apps/web configured\n");
    // Three ways: what the file no longer says is gone, what it says is there.
    expect(
      await stage.succeed("get deployment web -o jsonpath={.spec.template.spec.containers[0].env[*].name}"),
    ).toBe("C A");
    expect(await stage.succeed(`apply --server-side -f ${changed}`)).toContain("serverside-applied");
  });

  test("says what is wrong with an object as it does elsewhere", async () => {
    const unknown = { ...web(), spec: { ...(web() as { spec: object }).spec, replicaz: 1 } };
    const rejected = await stage.run(["create", "-f", stage.written("unknown", unknown)]);
    expect(rejected.err).toMatch(/unknown field "?(spec\.)?replicaz/);
    const bad = {
      ...web(),
      metadata: { name: "bad" },
      spec: { ...(web() as { spec: object }).spec, selector: { matchLabels: { app: "x" } } },
    };
    const invalid = await stage.run(["create", "-f", stage.written("bad", bad)]);
    expect([invalid.code, invalid.err]).toEqual([
      1,
      'The Deployment "bad" is invalid: spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`\n',
    ]);
    const twice = await stage.run(["create", "-f", stage.written("web", web())]);
    expect(twice.err).toContain('deployments.apps "web" already exists');
    expect((await stage.run(["get", "pod", "none"])).err).toBe(
      'Error from server (NotFound): pods "none" not found\n',
    );
  });

  test("scales, sets, edits and rolls a deployment", async () => {
    expect(await stage.succeed("scale deployment web --replicas=5")).toBe("deployment.apps/web scaled\n");
    expect(await stage.succeed("set env deployment/web X=1 C-")).toContain("env updated");
    expect(await stage.succeed("set image deployment/web c=echo:3")).toContain("image updated");
    expect(await stage.succeed("rollout restart deployment web")).toContain("restarted");
    expect(await stage.succeed('patch deployment web -p {"spec":{"replicas":3}}')).toContain("patched");
    expect(
      await stage.succeed(
        'patch deployment web --type=json -p [{"op":"replace","path":"/spec/replicas","value":4}]',
      ),
    ).toContain("patched");
    const env = { KUBE_EDITOR: "sed -i s/replicas:.4/replicas:\\ 6/" };
    expect(await stage.succeed("edit deployment web", { env })).toContain("edited");
    const found = await stage.server.client.get(deployments, "web", "default");
    expect(found.spec.replicas).toBe(6);
    expect(found.spec.template.spec.containers[0]).toMatchObject({
      image: "echo:3",
      env: [
        { name: "A", value: "1" },
        { name: "X", value: "1" },
      ],
    });
    expect(found.spec.template.metadata?.annotations?.["kubectl.kubernetes.io/restartedAt"]).toBeDefined();

    const waiting = stage.run(["rollout", "status", "deployment", "web", "--timeout=20s"]);
    const counts = { replicas: 6, updatedReplicas: 6, readyReplicas: 6, availableReplicas: 6 };
    const observedGeneration = found.metadata.generation ?? 0;
    await stage.server.client.updateStatus(deployments, {
      ...found,
      status: { ...counts, observedGeneration },
    });
    expect((await waiting).out).toContain('deployment "web" successfully rolled out');
    expect(rows(await stage.succeed("get deployments"))[1]?.slice(0, 4)).toEqual(["web", "6/6", "6", "6"]);
    const described = await stage.succeed("describe deployment web");
    expect(described).toContain("6 desired | 6 updated | 6 total | 6 available | 0 unavailable");
  });

  test("shows the history of a rollout", async () => {
    const owner = await stage.server.client.get(deployments, "web", "default");
    for (const revision of ["1", "2"]) {
      await stage.server.client.create(replicaSets, {
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
    expect(await stage.succeed("rollout history deployment web")).toMatch(
      /REVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>/,
    );
    await stage.succeed("delete deployment web");
    expect(await stage.succeed("get rs -o name")).toBe("");
  });

  test("turns the settings of a DaemonSet", async () => {
    const daemonSet = {
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: "aws-node", namespace: "kube-system" },
      spec: {
        selector: { matchLabels: { "k8s-app": "aws-node" } },
        template: {
          metadata: { labels: { "k8s-app": "aws-node" } },
          spec: {
            hostNetwork: true,
            priorityClassName: "system-node-critical",
            initContainers: [{ name: "aws-vpc-cni-init", image: "init:1" }],
            containers: [
              {
                name: "aws-node",
                image: "cni:1",
                env: [{ name: "WARM_ENI_TARGET", value: "1" }],
                ports: [{ containerPort: 61678 }],
              },
              { name: "aws-eks-nodeagent", image: "agent:1" },
            ],
          },
        },
      },
    };
    await stage.succeed(`apply -f ${stage.written("aws-node", daemonSet)}`);
    await stage.succeed("set env daemonset aws-node -c aws-node -n kube-system WARM_IP_TARGET=5");
    const found = await stage.server.client.get(daemonSets, "aws-node", "kube-system");
    expect(found.metadata.generation).toBe(2);
    expect(found.spec.template.spec.containers.map(({ env }) => env)).toEqual([
      [
        { name: "WARM_ENI_TARGET", value: "1" },
        { name: "WARM_IP_TARGET", value: "5" },
      ],
      undefined,
    ]);
    const waiting = stage.succeed("rollout status daemonset aws-node -n kube-system --timeout=20s");
    const counts = {
      desiredNumberScheduled: 1,
      currentNumberScheduled: 1,
      numberReady: 1,
      numberMisscheduled: 0,
    };
    await stage.server.client.updateStatus(daemonSets, {
      ...found,
      status: { ...counts, numberAvailable: 1, updatedNumberScheduled: 1, observedGeneration: 2 },
    });
    expect(await waiting).toContain('daemon set "aws-node" successfully rolled out');
    const described = await stage.succeed("describe daemonset aws-node -n kube-system");
    for (const words of [
      "aws-vpc-cni-init:",
      "aws-eks-nodeagent:",
      "WARM_IP_TARGET:",
      "Priority Class Name:  system-node-critical",
    ]) {
      expect(described).toContain(words);
    }
    expect(rows(await stage.succeed("get ds -n kube-system"))[1]?.slice(0, 7)).toEqual([
      "aws-node",
      "1",
      "1",
      "1",
      "1",
      "1",
      "<none>",
    ]);
    await stage.succeed(`delete -f ${stage.written("aws-node", daemonSet)}`);
  });

  test("creates from the command line", async () => {
    expect(await stage.succeed("create deployment made --image=echo --replicas=2")).toBe(
      "deployment.apps/made created\n",
    );
    expect(await stage.succeed("create namespace team")).toBe("namespace/team created\n");
    expect(await stage.succeed("create configmap settings --from-literal=a=b -n team")).toBe(
      "configmap/settings created\n",
    );
    expect(await stage.succeed("create secret generic hidden --from-literal=a=b -n team")).toBe(
      "secret/hidden created\n",
    );
    expect(await stage.succeed("create serviceaccount robot -n team")).toBe("serviceaccount/robot created\n");
    expect(await stage.succeed("expose deployment made --port=80 --target-port=8080")).toBe(
      "service/made exposed\n",
    );
    expect(await stage.succeed("run single --image=echo --restart=Never")).toBe("pod/single created\n");
    expect(await stage.succeed("get configmap settings -n team -o jsonpath={.data.a}")).toBe("b");
    expect(await stage.succeed("get service made -o jsonpath={.spec.ports[0].targetPort}")).toBe("8080");
    expect(await stage.succeed("delete namespace team")).toContain('namespace "team" deleted');
    await stage.succeed("delete deployment,service,pod made single --ignore-not-found");
  });
});
