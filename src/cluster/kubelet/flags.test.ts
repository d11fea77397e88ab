import { describe, expect, test } from "bun:test";
import { kubeletFlags, parseKubeletFlags } from "./flags.ts";

const least = ["--node-name", "n1", "--api-server", "https://10.0.0.1:443", "--node-ip", "10.0.1.5"];

describe("kubelet flags", () => {
  test("say the defaults of a real node's paths", () => {
    const settings = parseKubeletFlags(least);
    expect(settings.cniConfDir).toBe("/etc/cni/net.d");
    expect(settings.cniBinDir).toBe("/opt/cni/bin");
    expect(settings.maxPods).toBe(110);
    expect(settings.labels).toEqual({});
  });

  test("survive the way to the command line and back", () => {
    const settings = parseKubeletFlags([
      ...least,
      ...["--node-labels", "topology.kubernetes.io/zone=us-west-2a,empty=", "--max-pods", "29"],
      ...["--register-with-taints", "a=b:NoSchedule,c:NoExecute", "--provider-id", "aws:///us-west-2a/i-1"],
    ]);
    expect(settings.labels).toEqual({ "topology.kubernetes.io/zone": "us-west-2a", empty: "" });
    expect(settings.taints).toEqual([
      { key: "a", value: "b", effect: "NoSchedule" },
      { key: "c", effect: "NoExecute" },
    ]);
    expect(parseKubeletFlags(kubeletFlags(settings))).toEqual(settings);
  });

  test.each([
    [["--node-name", "n1"], "use --api-server"],
    [[...least, "--max-pods", "many"], "use --max-pods: many; wanted a whole number"],
    [[...least, "--colour", "red"], "--colour"],
    [[...least, "--register-with-taints", "a=b"], "a=b; wanted KEY[=VALUE]:NoSchedule"],
  ])("refuse %j", (args, message) => {
    expect(() => parseKubeletFlags(args)).toThrow(message);
  });
});
