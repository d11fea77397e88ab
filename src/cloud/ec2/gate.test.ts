import { describe, expect, test } from "bun:test";
import {
  CreateNetworkInterfaceCommand,
  CreateTagsCommand,
  DeleteVpcCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
} from "@aws-sdk/client-ec2";
import { ManualClock } from "../../base/clock.ts";
import { CloudBed, ec2Error } from "../cloud-bed.ts";
import { cniPolicyActions, defaultConfig } from "../config.ts";

const authorization =
  "AWS4-HMAC-SHA256 Credential=AKIAENIVERSEADMIN000/20260101/us-west-2/ec2/aws4_request, SignedHeaders=host, Signature=0";

async function post(bed: CloudBed, body: string, headers: Record<string, string> = { authorization }) {
  const answer = await bed.cloud.endpoint(
    new Request("http://ec2.us-west-2.amazonaws.com/", {
      method: "POST",
      body,
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    }),
  );
  return { status: answer.status, text: await answer.text() };
}

describe("a request that is not one", () => {
  test.each([
    [
      "an unknown action",
      "Action=DescribeUnicorns&Version=2016-11-15",
      400,
      "InvalidAction",
      "The action DescribeUnicorns is not valid for this web service.",
    ],
    ["no action", "Version=2016-11-15", 400, "MissingAction", "The request is missing an action"],
    [
      "an unknown parameter",
      "Action=DescribeVpcs&Version=2016-11-15&VpcIds.1=vpc-1",
      400,
      "UnknownParameter",
      "The parameter VpcIds is not recognized",
    ],
    [
      "a missing parameter",
      "Action=CreateNetworkInterface&Version=2016-11-15",
      400,
      "MissingParameter",
      "The request must contain the parameter SubnetId",
    ],
    [
      "a number that is none",
      "Action=DescribeVpcs&Version=2016-11-15&MaxResults=many",
      400,
      "InvalidParameterValue",
      "Value (many) for parameter MaxResults is invalid",
    ],
    [
      "a boolean that is none",
      "Action=DescribeVpcs&Version=2016-11-15&DryRun=maybe",
      400,
      "InvalidParameterValue",
      "Valid values are true and false",
    ],
    [
      "a list with a name for a number",
      "Action=DescribeVpcs&Version=2016-11-15&VpcId.one=vpc-1",
      400,
      "InvalidParameterValue",
      "Lists are numbered from 1",
    ],
    [
      "a filter without a name",
      "Action=DescribeVpcs&Version=2016-11-15&Filter.1.Value.1=x",
      400,
      "MissingParameter",
      "Filter.1.Name",
    ],
    [
      "a filter without values",
      "Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=vpc-id",
      400,
      "InvalidParameterValue",
      "has no values",
    ],
  ])("%s", async (_, body, status, code, message) => {
    using bed = new CloudBed();
    const answer = await post(bed, body);
    expect(answer.status).toBe(status);
    expect(answer.text).toContain(`<Response><Errors><Error><Code>${code}</Code><Message>`);
    expect(answer.text).toContain(message);
    expect(answer.text).toMatch(/<\/Errors><RequestID>[0-9a-f-]{36}<\/RequestID><\/Response>$/);
  });
});

test("answers have EC2's namespace and a request id", async () => {
  using bed = new CloudBed();
  const { status, text } = await post(bed, "Action=DescribeRegions&Version=2016-11-15");
  expect(status).toBe(200);
  expect(text).toMatch(
    /^<\?xml version="1.0" encoding="UTF-8"\?>\n<DescribeRegionsResponse xmlns="http:\/\/ec2.amazonaws.com\/doc\/2016-11-15\/"><requestId>[0-9a-f-]{36}<\/requestId><regionInfo><item>/,
  );
});

describe("who calls", () => {
  test.each([
    ["nobody", {}, 403, "MissingAuthenticationToken"],
    ["an unknown key", { authorization: authorization.replace("ADMIN", "OTHER") }, 401, "AuthFailure"],
    [
      "another region",
      { authorization: authorization.replace("us-west-2", "eu-west-1") },
      401,
      "AuthFailure",
    ],
    [
      "a malformed scope",
      { authorization: "AWS4-HMAC-SHA256 Credential=AKIA" },
      403,
      "MissingAuthenticationToken",
    ],
  ])("%s", async (_, headers, status, code) => {
    using bed = new CloudBed();
    const answer = await post(
      bed,
      "Action=DescribeVpcs&Version=2016-11-15",
      headers as Record<string, string>,
    );
    expect([answer.status, answer.text.includes(`<Code>${code}</Code>`)]).toEqual([status, true]);
  });

  test("STS tells who it is", async () => {
    using bed = new CloudBed();
    const answer = await post(bed, "Action=GetCallerIdentity&Version=2011-06-15");
    expect(answer.text).toContain("<Arn>arn:aws:iam::111122223333:user/admin</Arn>");
    expect(answer.text).toContain("<Account>111122223333</Account>");
    expect((await post(bed, "Action=AssumeRole&Version=2011-06-15")).text).toContain(
      "<Code>InvalidAction</Code>",
    );
  });

  test("a role may do what its actions say, and tagging takes a permission of its own", async () => {
    const base = defaultConfig();
    using bed = new CloudBed({
      config: {
        roles: [
          ...base.roles,
          { name: "cni", actions: cniPolicyActions, deny: ["ec2:describeSUBNETS"] },
          { name: "untagged", actions: ["ec2:CreateNetworkInterface"] },
        ],
        credentials: [
          ...base.credentials,
          { accessKeyId: "AKIACNI", secretAccessKey: "x", role: "cni" },
          { accessKeyId: "AKIAUNTAGGED", secretAccessKey: "x", role: "untagged" },
          { accessKeyId: "AKIAGONE", secretAccessKey: "x", role: "gone" },
        ],
      },
    });
    const SubnetId = bed.subnetId("private-us-west-2a");
    const cni = bed.clientOf("AKIACNI", "x");
    const tagged = new CreateNetworkInterfaceCommand({
      SubnetId,
      TagSpecifications: [{ ResourceType: "network-interface", Tags: [{ Key: "a", Value: "b" }] }],
    });
    expect(await ec2Error(cni.send(tagged))).toBe("no error");
    expect(await ec2Error(cni.send(new DescribeSubnetsCommand({})))).toStartWith("UnauthorizedOperation");
    const refused = await ec2Error(cni.send(new DeleteVpcCommand({ VpcId: "vpc-1" })));
    expect(refused).toStartWith("UnauthorizedOperation: You are not authorized to perform this operation.");
    expect(refused).toContain("Encoded authorization failure message: ");
    const untagged = bed.clientOf("AKIAUNTAGGED", "x");
    expect(await ec2Error(untagged.send(new CreateNetworkInterfaceCommand({ SubnetId })))).toBe("no error");
    expect(await ec2Error(untagged.send(tagged))).toContain("ec2:CreateTags");
    expect(await ec2Error(bed.clientOf("AKIAGONE", "x").send(new DescribeVpcsCommand({})))).toStartWith(
      "UnauthorizedOperation",
    );
  });

  test("DryRun says whether it would work and does nothing", async () => {
    using bed = new CloudBed();
    const input = { SubnetId: bed.subnetId("private-us-west-2a"), DryRun: true };
    const before = bed.cloud.state.enis.size;
    expect(await ec2Error(bed.client.send(new CreateNetworkInterfaceCommand(input)))).toBe(
      "DryRunOperation: Request would have succeeded, but DryRun flag is set.",
    );
    expect(bed.cloud.state.enis.size).toBe(before);
  });
});

describe("throttling", () => {
  test("is off unless asked for", async () => {
    using bed = new CloudBed();
    for (let n = 0; n < 120; n++)
      expect((await post(bed, "Action=DescribeRegions&Version=2016-11-15")).status).toBe(200);
  });

  test("empties the action's bucket and fills it with time", async () => {
    const clock = new ManualClock(1_000_000);
    using bed = new CloudBed({
      clock,
      settings: { throttling: { enabled: true, buckets: { DescribeRegions: { size: 3, refill: 2 } } } },
    });
    const call = async () => (await post(bed, "Action=DescribeRegions&Version=2016-11-15")).status;
    expect([await call(), await call(), await call(), await call()]).toEqual([200, 200, 200, 503]);
    expect((await post(bed, "Action=DescribeRegions&Version=2016-11-15")).text).toContain(
      "<Code>RequestLimitExceeded</Code><Message>Request limit exceeded. Account 111122223333 has been throttled on ec2:DescribeRegions because it exceeded its request rate limit.",
    );
    await clock.advance(500);
    expect([await call(), await call()]).toEqual([200, 503]);
    expect((await post(bed, "Action=DescribeVpcs&Version=2016-11-15")).status).toBe(200);
  });

  test("is stricter with describe calls that neither filter nor page", async () => {
    using bed = new CloudBed({
      clock: new ManualClock(1_000_000),
      settings: { throttling: { enabled: true, buckets: {} } },
    });
    const whole = "Action=DescribeInstances&Version=2016-11-15";
    const filtered = `${whole}&Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1`;
    for (let n = 0; n < 50; n++) expect((await post(bed, whole)).status).toBe(200);
    expect((await post(bed, whole)).status).toBe(503);
    for (let n = 0; n < 100; n++) expect((await post(bed, filtered)).status).toBe(200);
    expect((await post(bed, filtered)).status).toBe(503);
  });
});

describe("injected faults", () => {
  test("hit at their rate, so often, and end when cleared", async () => {
    using bed = new CloudBed();
    const describe = () => ec2Error(bed.client.send(new DescribeVpcsCommand({})));
    bed.cloud.faults.add({ action: "DescribeVpcs", rate: 1, errorCode: "InternalError", times: 2 });
    expect([await describe(), await describe(), await describe()]).toEqual([
      "InternalError: Injected fault of DescribeVpcs",
      "InternalError: Injected fault of DescribeVpcs",
      "no error",
    ]);
    const id = bed.cloud.faults.add({
      action: "Describe*",
      rate: 1,
      errorCode: "RequestLimitExceeded",
      errorMessage: "no",
    });
    expect(await describe()).toBe("RequestLimitExceeded: no");
    expect(
      await ec2Error(bed.client.send(new CreateTagsCommand({ Resources: ["vpc-1"], Tags: [] }))),
    ).not.toContain("RequestLimit");
    expect(bed.cloud.faults.list()).toMatchObject([{ id, hits: 1 }]);
    bed.cloud.faults.clear(id);
    expect(await describe()).toBe("no error");
    bed.cloud.faults.add({ action: "*", rate: 0.5, errorCode: "X" });
    const answers = await Promise.all(Array.from({ length: 60 }, describe));
    const hits = answers.filter((answer) => answer.startsWith("X")).length;
    expect(hits).toBeGreaterThan(10);
    expect(hits).toBeLessThan(50);
  });

  test("and latencies make an action slow", async () => {
    const clock = new ManualClock(1_000_000);
    using bed = new CloudBed({ clock, settings: { actionDelayMs: { DescribeVpcs: 300 } } });
    bed.cloud.faults.add({ action: "DescribeVpcs", rate: 1, delayMs: 200 });
    let answered = false;
    const call = post(bed, "Action=DescribeVpcs&Version=2016-11-15").then((answer) => {
      answered = true;
      return answer.status;
    });
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    await clock.advance(499);
    expect(answered).toBe(false);
    await clock.advance(1);
    expect(await call).toBe(200);
  });
});

test("a new interface may be unknown to describe calls for a while", async () => {
  const clock = new ManualClock(1_000_000);
  using bed = new CloudBed({ clock, settings: { consistencyLagMs: 2000 } });
  const { NetworkInterface } = await bed.client.send(
    new CreateNetworkInterfaceCommand({ SubnetId: bed.subnetId("private-us-west-2a") }),
  );
  const id = NetworkInterface?.NetworkInterfaceId ?? "";
  const describe = () =>
    ec2Error(bed.client.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [id] })));
  expect(await describe()).toBe(
    `InvalidNetworkInterfaceID.NotFound: The networkInterface ID '${id}' does not exist`,
  );
  await clock.advance(2000);
  expect(await describe()).toBe("no error");
});

describe("a client token", () => {
  test("makes a repeated call answer the same and make nothing", async () => {
    using bed = new CloudBed();
    const create = (ClientToken: string, Description: string) =>
      bed.client.send(
        new CreateNetworkInterfaceCommand({
          SubnetId: bed.subnetId("private-us-west-2a"),
          ClientToken,
          Description,
        }),
      );
    const first = await create("t1", "x");
    const again = await create("t1", "x");
    expect(again.NetworkInterface?.NetworkInterfaceId).toBe(first.NetworkInterface?.NetworkInterfaceId ?? "");
    expect(await ec2Error(create("t1", "y"))).toStartWith("IdempotentParameterMismatch");
    const other = await create("t2", "x");
    expect(other.NetworkInterface?.NetworkInterfaceId).not.toBe(
      first.NetworkInterface?.NetworkInterfaceId ?? "",
    );
  });

  test("of a call that failed is free", async () => {
    using bed = new CloudBed();
    const create = () =>
      bed.client.send(
        new CreateNetworkInterfaceCommand({ SubnetId: bed.subnetId("private-us-west-2a"), ClientToken: "t" }),
      );
    bed.cloud.faults.add({ action: "CreateNetworkInterface", rate: 1, errorCode: "InternalError", times: 1 });
    expect(await ec2Error(create())).toStartWith("InternalError");
    expect(await ec2Error(create())).toBe("no error");
  });
});

test("calls are counted by how they end", async () => {
  using bed = new CloudBed();
  await post(bed, "Action=DescribeVpcs&Version=2016-11-15");
  await post(bed, "Action=DescribeVpcs&Version=2016-11-15");
  await post(bed, "Action=DescribeVpcs&Version=2016-11-15&VpcId.1=vpc-1");
  await post(bed, "Action=DescribeUnicorns&Version=2016-11-15");
  await post(bed, "Action=GetCallerIdentity&Version=2011-06-15");
  expect(bed.cloud.calls.counts()).toEqual([
    { service: "ec2", action: "DescribeVpcs", code: "Success", count: 2 },
    { service: "ec2", action: "DescribeVpcs", code: "InvalidVpcID.NotFound", count: 1 },
    { service: "ec2", action: "(unknown)", code: "InvalidAction", count: 1 },
    { service: "sts", action: "GetCallerIdentity", code: "Success", count: 1 },
  ]);
  expect(
    bed.cloud.calls
      .latest()
      .map((call) => call.code)
      .at(-1),
  ).toBe("Success");
});

test("an unknown instance", async () => {
  using bed = new CloudBed();
  expect(
    await ec2Error(bed.client.send(new DescribeInstancesCommand({ InstanceIds: ["i-0123456789abcdef0"] }))),
  ).toBe("InvalidInstanceID.NotFound: The instance ID 'i-0123456789abcdef0' does not exist");
});
