import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { canonicalImage, findImage, unknownImageMessage } from "./registry.ts";

describe("images", () => {
  test.each([
    ["eniverse/echo", "echo.ts"],
    ["docker.io/eniverse/echo:1", "echo.ts"],
    [
      "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.23.1-eksbuild.1",
      "node/entrypoint/main.ts",
    ],
    [
      "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni-init:v1.23.1-eksbuild.1",
      "node/init/main.ts",
    ],
    ["localhost:5000/amazon/aws-network-policy-agent@sha256:00", "node-agent.ts"],
  ])("%s is the program %s", (reference, file) => {
    expect(findImage(reference)?.entrypoint.at(-1)).toEndWith(file);
  });

  test("programs of this room exist", () => {
    for (const name of ["eniverse/echo", "aws-network-policy-agent"]) {
      expect(existsSync(findImage(name)?.entrypoint.at(-1) ?? "")).toBe(true);
    }
  });

  test.each(["nginx", "eniverse/echoes", "my-amazon-k8s-cni", ""])("%j is not known", (reference) => {
    expect(findImage(reference)).toBeUndefined();
    expect(unknownImageMessage(reference)).toContain("eniverse/echo");
  });

  test.each([
    ["busybox", "docker.io/library/busybox:latest"],
    ["eniverse/echo:2", "docker.io/eniverse/echo:2"],
    ["localhost:5000/x", "localhost:5000/x:latest"],
    ["public.ecr.aws/a/b@sha256:12", "public.ecr.aws/a/b@sha256:12"],
  ])("%s is written %s", (reference, full) => {
    expect(canonicalImage(reference)).toBe(full);
  });
});
