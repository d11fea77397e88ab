import { expect, test } from "bun:test";
import { readsEndpointVariable } from "./env.ts";

test("old command lines of AWS need the endpoint as an argument", () => {
  expect(readsEndpointVariable("aws-cli/2.9.19 Python/3.11.2 Linux/6.1")).toBe(false);
  expect(readsEndpointVariable("aws-cli/2.13.0 Python/3.11.4")).toBe(true);
  expect(readsEndpointVariable("aws-cli/1.27.1 Python/3.9")).toBe(false);
  expect(readsEndpointVariable("aws-cli/1.45.11 Python/3.11.7")).toBe(true);
  expect(readsEndpointVariable(undefined)).toBe(true);
});
