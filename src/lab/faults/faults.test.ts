import { describe, expect, test } from "bun:test";
import { portDevice } from "../../cloud/fabric/names.ts";
import { dropScript } from "./cut-off.ts";
import { describeFault, type Fault } from "./fault.ts";
import { readFault } from "./read-fault.ts";

const good: readonly (readonly [Fault, string])[] = [
  [
    { kind: "ec2", action: "AttachNetworkInterface", rate: 0.2, error: "RequestLimitExceeded" },
    "20 % of AttachNetworkInterface fail with RequestLimitExceeded",
  ],
  [
    { kind: "ec2", action: "Describe*", rate: 1, delayMs: 3000, times: 4 },
    "100 % of Describe* take 3000 ms longer, 4 times",
  ],
  [
    { kind: "attach", delayMs: 500, failRate: 0.5 },
    "attaching ENIs: devices come after 500 ms, 50 % of the calls fail",
  ],
  [
    { kind: "metadata", lagMs: 100, frozen: true },
    "the metadata service is 100 ms behind EC2, standing still",
  ],
  [{ kind: "subnet", subnet: "private-a", filled: 0.95 }, "the subnet private-a is 95 % full"],
  [{ kind: "subnet", subnet: "private-a", fragmented: true }, "the subnet private-a is without a free /28"],
  [{ kind: "ipamd", keepDown: true }, "ipamd of every node is killed whenever it comes up"],
  [{ kind: "api-server" }, "the API server does not answer inside the VPC"],
  [{ kind: "node", instanceId: "i-1", how: "cut-off" }, "i-1 is cut off from the VPC"],
];

describe("a fault", () => {
  test.each(good)("%j is read as it is and told in words", (fault, words) => {
    expect(readFault(JSON.parse(JSON.stringify(fault)))).toEqual(fault);
    expect(describeFault(fault)).toBe(words);
  });

  test.each([
    [undefined, "an object"],
    [{ kind: "weather" }, "one of ec2, attach"],
    [{ kind: "ec2", action: "X", rate: 0.5 }, "does nothing"],
    [{ kind: "ec2", action: "X", rate: 1.5, error: "Y" }, "a share above 0 and up to 1"],
    [{ kind: "ec2", action: "X", rate: 1, error: "Y", times: 0 }, "a whole number above 0"],
    [{ kind: "ec2", action: "", rate: 1, error: "Y" }, "a text"],
    [{ kind: "attach" }, "does nothing"],
    [{ kind: "attach", delayMs: -1 }, "milliseconds, 0 to 3600000"],
    [{ kind: "metadata", frozen: "yes" }, "true or false"],
    [{ kind: "subnet", subnet: "a", filled: 2 }, "a share above 0 and up to 1"],
    [{ kind: "node", instanceId: "i-1", how: "paint" }, "cut-off or reboot"],
    [{ kind: "api-server", rate: 1 }, "only the kind for api-server"],
  ])("%j is refused", (value, words) => {
    expect(() => readFault(value)).toThrow(words);
  });
});

test("a node that is cut off loses what comes from its ENIs and what goes to them, and healing leaves nothing", () => {
  const eniIds = ["eni-0a1b2c3d4e5f60718", "eni-0b1b2c3d4e5f60719"];
  const script = dropScript(eniIds);
  const devices = eniIds.map((eniId) => `"${portDevice(eniId)}"`).join(", ");
  for (const direction of ["iifname", "oifname"])
    expect(script).toContain(`${direction} { ${devices} } drop`);
  expect(script.match(/hook/g)?.length).toBe(3);
  expect(script.startsWith("table inet eniverse_faults {}\ndelete table inet eniverse_faults\n")).toBe(true);
  expect(dropScript([])).toBe("table inet eniverse_faults {}\ndelete table inet eniverse_faults\n");
});
