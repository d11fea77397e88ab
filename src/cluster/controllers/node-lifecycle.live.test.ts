import { expect, test } from "bun:test";
import { type Node, nodes, type Pod, pods } from "../../kube/resources.ts";
import { ClusterBed, isReady } from "../test-bed.ts";

const pod = (name: string, tolerationSeconds: number): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: "c", image: "eniverse/pause" }],
    tolerations: [
      { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds },
    ],
  },
});

test.skipIf(process.getuid?.() !== 0)(
  "a node that falls silent is tainted, its pods are evicted in their time, and it comes back",
  async () => {
    await using bed = await ClusterBed.start({ heartbeatMs: 200 }, 1_000);
    const node = async (what: string, look: (node: Node) => boolean): Promise<void> => {
      const deadline = Date.now() + 60_000;
      for (;;) {
        const found = await bed.client.get(nodes, bed.nodeName).catch(() => undefined);
        if (found !== undefined && look(found)) return;
        if (Date.now() > deadline) throw new Error(`no ${what}: ${JSON.stringify(found)}`);
        await Bun.sleep(20);
      }
    };
    const ready = ({ status }: Node): string =>
      status?.conditions?.find(({ type }) => type === "Ready")?.status ?? "";
    bed.setNetwork();
    bed.startKubelet();
    await bed.client.create(pods, pod("patient", 300));
    await bed.client.create(pods, pod("hasty", 0));
    await bed.until("two ready pods", (all) => all.filter(isReady).length === 2);

    await bed.killKubelet();
    await node("silence", (each) => ready(each) === "Unknown");
    await node("taint", ({ spec }) =>
      (spec?.taints ?? []).some(({ key, effect }) => key.endsWith("unreachable") && effect === "NoExecute"),
    );
    const left = await bed.until("an eviction", (all) => {
      const [leaving, staying] = [true, false].map((gone) =>
        all.filter(({ metadata }) => (metadata.deletionTimestamp !== undefined) === gone),
      );
      return leaving?.length === 1 && staying?.length === 1 && { leaving, staying };
    });
    expect(left.leaving[0]?.metadata.name).toBe("hasty");
    await bed.until("the other pod not ready", (all) => all.filter(isReady).length === 0);

    bed.startKubelet();
    await node("return", (each) => ready(each) === "True" && (each.spec?.taints ?? []).length === 0);
    const back = await bed.until(
      "the patient pod alone",
      (all) => all.length === 1 && all.every(isReady) && all,
    );
    expect(back[0]?.metadata.name).toBe("patient");
    expect(back[0]?.status?.containerStatuses?.[0]?.restartCount).toBe(0);
  },
  40_000,
);
