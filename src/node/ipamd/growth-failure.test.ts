import { expect, test } from "bun:test";
import { EniverseError, type ErrorCode } from "../../base/error.ts";
import { growthFailure } from "./growth-failure.ts";
import { TestNode } from "./test-node.ts";

const ec2Says = (code: ErrorCode, ec2Code: string, ec2Message = "no"): EniverseError =>
  new EniverseError(code, {
    attempted: "call EC2",
    found: `${ec2Code}: ${ec2Message}`,
    facts: { ec2Action: "CreateNetworkInterface", ec2Code, ec2Message },
  });

test("what a person must mend has a reason, what passes by itself has none", async () => {
  using node = new TestNode();
  await node.start();
  const reasonOf = (thrown: unknown): string | undefined => growthFailure(node.daemon.ctx, thrown)?.reason;
  expect(reasonOf(ec2Says("exhausted", "InsufficientCidrBlocks"))).toBe("InsufficientCidrBlocks");
  expect(reasonOf(ec2Says("not_found", "InvalidSubnetID.NotFound"))).toBe("SubnetNotFound");
  expect(reasonOf(ec2Says("not_found", "InvalidGroup.NotFound"))).toBe("SecurityGroupNotFound");
  expect(reasonOf(ec2Says("conflict", "IncorrectState"))).toBe("ENIAllocationFailed");
  expect(reasonOf(ec2Says("throttled", "RequestLimitExceeded"))).toBeUndefined();
  expect(reasonOf(ec2Says("unavailable", "InternalError"))).toBeUndefined();
  expect(reasonOf(ec2Says("permission_denied", "UnauthorizedOperation"))).toBeUndefined();
  const untagged = new EniverseError("not_found", {
    attempted: "find a subnet for a new ENI",
    facts: { reason: "NoSubnetForENI" },
  });
  expect(growthFailure(node.daemon.ctx, untagged)).toMatchObject({
    reason: "NoSubnetForENI",
    action: "CreateENI",
  });
});

test("a subnet of another zone is told by EC2's message, with the node's own zone", async () => {
  using node = new TestNode();
  await node.start();
  const failure = growthFailure(
    node.daemon.ctx,
    ec2Says("invalid_argument", "InvalidParameterCombination", "they are not in the same availability zone"),
  );
  expect(failure?.reason).toBe("SubnetInOtherZone");
  expect(failure?.action).toBe("ec2:CreateNetworkInterface");
  expect(failure?.note).toContain(`the node is in ${node.daemon.ctx.facts.availabilityZone}`);
});
