import { expect, test } from "bun:test";
import { containerVethName, dummyInterfaceName, hostVethName, podSuffix } from "./names.ts";

test("names are those that the official CNI computes", () => {
  expect(podSuffix("kube-system", "coredns-57ff979f67-qqbdh")).toBe("b5faff8a083");
  expect(podSuffix("default", "sample-pod")).toBe("cc21c2d7785");
  expect(podSuffix("", "")).toBe("3a52ce78095");
  expect(podSuffix("", "", 1)).toBe("ce799470a46");
  expect(hostVethName("eni", "default", "sample-pod")).toBe("enicc21c2d7785");
  expect(dummyInterfaceName("default", "sample-pod")).toBe("dummycc21c2d7785");
  expect(containerVethName("eth0", 0)).toBe("eth0");
  expect(containerVethName("eth0", 2)).toBe("mNicIf2");
});
