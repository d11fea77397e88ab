import { describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { parseIpv4 } from "../addr/ipv4.ts";
import { setUpPodNetwork, tearDownPodNetwork } from "./pod-network.ts";
import { TestBed } from "./test-bed.ts";

const web = {
  index: 0,
  hostName: "enicc21c2d7785",
  containerName: "eth0",
  address: parseIpv4("10.0.2.17"),
  routeTable: 2,
  mtu: 9001,
};

describe.skipIf(process.getuid?.() !== 0)("a pod whose set-up was killed", () => {
  test("before any change: ADD again makes it whole, DEL takes everything", async () => {
    const program = fileURLToPath(new URL("./pod-crash.ts", import.meta.url));
    let crashes = 0;
    for (let change = 1; ; change++) {
      using bed = new TestBed();
      const pod = bed.netns("pod");
      const picture = (): string[][] => [
        bed.ip(bed.node, "rule"),
        bed.ip(bed.node, "-4", "route", "show", "table", "all"),
      ];
      const before = picture();
      const child = Bun.spawnSync([process.execPath, program, bed.node.path, pod.path, String(change)]);
      if (child.exitCode === 0) break;
      expect(child.signalCode).toBe("SIGKILL");
      crashes++;
      await setUpPodNetwork(bed.host, pod.path, [web]);
      expect(bed.reaches(pod, "10.0.1.10")).toBe(true);
      tearDownPodNetwork(bed.host, [web]);
      bed.host.rt.deleteLink(bed.host.rt.indexOf(web.hostName));
      expect(picture()).toEqual(before);
    }
    // At least: the pair, its end up, and the batch of routes and rules.
    expect(crashes).toBeGreaterThanOrEqual(3);
  });
});
