import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { EniverseError } from "../base/error.ts";
import type { Ec2 } from "./ec2.ts";
import { badEniId, codeOfEc2, ec2CodeOf } from "./ec2-errors.ts";
import { createEc2, type Ec2Call } from "./ec2-sdk.ts";

const namespace = 'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"';
const requests: URLSearchParams[] = [];
let answers: Response[] = [];
let agent = "";

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: async (request) => {
    agent = request.headers.get("user-agent") ?? "";
    requests.push(new URLSearchParams(await request.text()));
    return answers.shift() ?? new Response("nothing prepared", { status: 500 });
  },
});
// What the SDK reads; other test files share this process and must not see it.
const settings: Readonly<Record<string, string>> = {
  AWS_ENDPOINT_URL_EC2: `http://127.0.0.1:${server.port}`,
  AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
  AWS_SECRET_ACCESS_KEY: "secret",
};
const callersOwn = Object.keys(settings).map((name) => [name, process.env[name]] as const);
Object.assign(process.env, settings);

const calls: Ec2Call[] = [];
const ec2: Ec2 = await createEc2({
  region: "us-west-2",
  userAgent: ["amazon-vpc-cni-k8s", "v1.2.3"],
  timeoutMs: 1000,
  onCall: (call) => calls.push(call),
});

afterAll(async () => {
  for (const [name, value] of callersOwn) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  await server.stop(true);
});
beforeEach(() => {
  requests.length = 0;
  calls.length = 0;
  answers = [];
});

function xml(action: string, body: string): Response {
  return new Response(
    `<${action}Response ${namespace}><requestId>r-1</requestId>${body}</${action}Response>`,
    {
      headers: { "content-type": "text/xml" },
    },
  );
}

function failure(status: number, code: string, message: string): Response {
  const error = `<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return new Response(`<Response><Errors>${error}</Errors><RequestID>r-2</RequestID></Response>`, {
    status,
    headers: { "x-amzn-requestid": "r-2" },
  });
}

const eniXml = `<networkInterfaceId>eni-1</networkInterfaceId><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>
  <availabilityZone>us-west-2a</availabilityZone><description>d</description><status>in-use</status>
  <macAddress>02:00:00:00:00:01</macAddress><interfaceType>interface</interfaceType>
  <sourceDestCheck>true</sourceDestCheck>
  <groupSet><item><groupId>sg-1</groupId></item></groupSet>
  <attachment><attachmentId>eni-attach-1</attachmentId><deviceIndex>1</deviceIndex><networkCardIndex>0</networkCardIndex>
    <instanceId>i-1</instanceId><instanceOwnerId>1</instanceOwnerId><status>attached</status>
    <deleteOnTermination>true</deleteOnTermination><attachTime>2026-01-02T03:04:05.000Z</attachTime></attachment>
  <tagSet><item><key>a</key><value>b</value></item></tagSet>
  <privateIpAddressesSet><item><privateIpAddress>10.0.0.6</privateIpAddress><primary>false</primary></item>
    <item><privateIpAddress>10.0.0.5</privateIpAddress><primary>true</primary></item></privateIpAddressesSet>
  <ipv4PrefixSet><item><ipv4Prefix>10.0.0.32/28</ipv4Prefix></item></ipv4PrefixSet>
  <connectionTrackingConfiguration><udpTimeout>30</udpTimeout></connectionTrackingConfiguration>`;

describe("what goes over the wire", () => {
  test("an ENI is created with one kind of address, sorted out into our shape", async () => {
    answers = [xml("CreateNetworkInterface", `<networkInterface>${eniXml}</networkInterface>`)];
    const eni = await ec2.createNetworkInterface({
      subnetId: "subnet-1",
      groups: ["sg-1", "sg-2"],
      description: "aws-K8S-i-1",
      tags: [{ key: "k", value: "v" }],
      secondaryPrivateIpAddressCount: 9,
      connectionTracking: { udpTimeout: 30 },
    });
    expect(Object.fromEntries(requests[0] ?? [])).toMatchObject({
      Action: "CreateNetworkInterface",
      Version: "2016-11-15",
      SubnetId: "subnet-1",
      "SecurityGroupId.1": "sg-1",
      "SecurityGroupId.2": "sg-2",
      Description: "aws-K8S-i-1",
      SecondaryPrivateIpAddressCount: "9",
      "TagSpecification.1.ResourceType": "network-interface",
      "TagSpecification.1.Tag.1.Key": "k",
      "ConnectionTrackingSpecification.UdpTimeout": "30",
    });
    expect(eni).toEqual({
      networkInterfaceId: "eni-1",
      interfaceType: "interface",
      macAddress: "02:00:00:00:00:01",
      subnetId: "subnet-1",
      vpcId: "vpc-1",
      availabilityZone: "us-west-2a",
      description: "d",
      status: "in-use",
      sourceDestCheck: true,
      privateIpAddresses: [
        { address: "10.0.0.5", primary: true },
        { address: "10.0.0.6", primary: false },
      ],
      ipv4Prefixes: ["10.0.0.32/28"],
      ipv6Addresses: [],
      ipv6Prefixes: [],
      groups: ["sg-1"],
      tags: [{ key: "a", value: "b" }],
      attachment: {
        attachmentId: "eni-attach-1",
        deviceIndex: 1,
        networkCardIndex: 0,
        instanceId: "i-1",
        instanceOwnerId: "1",
        status: "attached",
        deleteOnTermination: true,
        attachTime: "2026-01-02T03:04:05.000Z",
      },
      connectionTracking: { udpTimeout: 30 },
    });
    expect(agent).toContain("amazon-vpc-cni-k8s/v1.2.3");
    expect(calls).toMatchObject([{ action: "CreateNetworkInterface" }]);
    expect(calls[0]?.error).toBeUndefined();
  });

  test("pages are joined; ids are asked for without a page size", async () => {
    const page = (token: string) =>
      xml(
        "DescribeNetworkInterfaces",
        `<networkInterfaceSet><item>${eniXml}</item></networkInterfaceSet>${token}`,
      );
    answers = [page("<nextToken>t</nextToken>"), page("")];
    const filters = [{ name: "status", values: ["available"] }];
    expect(await ec2.describeNetworkInterfaces({ filters })).toHaveLength(2);
    expect(requests.map((request) => request.get("NextToken"))).toEqual([null, "t"]);
    expect(requests[0]?.get("MaxResults")).toBe("1000");
    answers = [page("")];
    await ec2.describeNetworkInterfaces({ ids: ["eni-1"] });
    expect(requests[2]?.get("NetworkInterfaceId.1")).toBe("eni-1");
    expect(requests[2]?.has("MaxResults")).toBe(false);
  });

  test("assigning answers with what is new", async () => {
    answers = [
      xml(
        "AssignPrivateIpAddresses",
        `<assignedPrivateIpAddressesSet><item><privateIpAddress>10.0.0.7</privateIpAddress></item>
         </assignedPrivateIpAddressesSet>`,
      ),
      xml(
        "AssignPrivateIpAddresses",
        "<assignedIpv4PrefixSet><item><ipv4Prefix>10.0.0.48/28</ipv4Prefix></item></assignedIpv4PrefixSet>",
      ),
    ];
    expect(await ec2.assignPrivateIpAddresses("eni-1", { addressCount: 1 })).toEqual({
      addresses: ["10.0.0.7"],
      prefixes: [],
    });
    expect(await ec2.assignPrivateIpAddresses("eni-1", { prefixCount: 1 })).toEqual({
      addresses: [],
      prefixes: ["10.0.0.48/28"],
    });
    expect(requests.map((request) => request.get("SecondaryPrivateIpAddressCount"))).toEqual(["1", null]);
    expect(requests.map((request) => request.get("Ipv4PrefixCount"))).toEqual([null, "1"]);
  });
});

describe("failures", () => {
  test("EC2's code, message and request id are facts; no second attempt for a client error", async () => {
    answers = [failure(400, "InsufficientCidrBlocks", "no room")];
    const error = await ec2.assignPrivateIpAddresses("eni-1", { prefixCount: 1 }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(EniverseError);
    expect(error).toMatchObject({
      code: "exhausted",
      message: "cannot call EC2 AssignPrivateIpAddresses: InsufficientCidrBlocks: no room",
      parts: { facts: { ec2Code: "InsufficientCidrBlocks", ec2Message: "no room", httpStatus: 400 } },
    });
    expect(error.parts.facts.requestId).toBe("r-2");
    expect(ec2CodeOf(error)).toBe("InsufficientCidrBlocks");
    expect(requests).toHaveLength(1);
    expect(calls[0]?.error).toBe(error);
  });

  test("a fault of EC2's own is tried three times in all, and is one call", async () => {
    answers = [1, 2, 3].map(() => failure(500, "InternalError", "An internal error has occurred"));
    const error = await ec2.deleteNetworkInterface("eni-1").catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "unavailable" });
    expect(requests).toHaveLength(3);
    expect(calls).toHaveLength(1);
  });

  test("codes become ours; messages decide only where EC2 overloads a code", () => {
    expect(codeOfEc2("InvalidNetworkInterfaceID.NotFound", "")).toBe("not_found");
    expect(codeOfEc2("UnauthorizedOperation", "")).toBe("permission_denied");
    expect(codeOfEc2("RequestLimitExceeded", "")).toBe("throttled");
    expect(codeOfEc2("InvalidParameterValue", "bad")).toBe("invalid_argument");
    expect(
      codeOfEc2("InvalidParameterValue", "There aren't sufficient free Ipv4 addresses or prefixes"),
    ).toBe("exhausted");
    expect(codeOfEc2("InvalidParameterValue", "Network interface 'eni-1' is currently in use.")).toBe(
      "conflict",
    );
    expect(codeOfEc2("NewAndStrange", "")).toBe("internal");
  });

  test("S43: the missing interface's id is read out of EC2's message", () => {
    expect(badEniId("The networkInterface ID 'eni-00000088' does not exist")).toBe("eni-00000088");
    expect(badEniId("The networkInterface ID eni-00000088 does not exist")).toBe("");
  });
});
