import { afterEach, describe, expect, test } from "bun:test";
import { ManualClock } from "../base/clock.ts";
import { createImds, type Imds } from "./imds.ts";
import { readEnis, readNodeFacts, readSecurityGroups, readVpcCidrs } from "./instance-metadata.ts";

const primary = "02:00:00:00:00:01";
const second = "02:00:00:00:00:02";
const macs = "/latest/meta-data/network/interfaces/macs";

const tree: Record<string, string> = {
  "/latest/dynamic/instance-identity/document": '{"region":"us-west-2","accountId":"111122223333"}',
  "/latest/meta-data/placement/availability-zone": "us-west-2a",
  "/latest/meta-data/local-ipv4": "10.0.0.10",
  "/latest/meta-data/instance-id": "i-1",
  "/latest/meta-data/instance-type": "m5.large",
  "/latest/meta-data/mac": primary,
  [`${macs}/`]: `${second}/\n${primary}/`,
  [`${macs}/${primary}/`]:
    "device-number\ninterface-id\nlocal-ipv4s\nsubnet-id\nsubnet-ipv4-cidr-block\nvpc-id",
  [`${macs}/${primary}/interface-id`]: "eni-1",
  [`${macs}/${primary}/device-number`]: "0",
  [`${macs}/${primary}/subnet-id`]: "subnet-1",
  [`${macs}/${primary}/vpc-id`]: "vpc-1",
  [`${macs}/${primary}/local-ipv4s`]: "10.0.0.10\n10.0.0.20\n10.0.0.21",
  [`${macs}/${primary}/subnet-ipv4-cidr-block`]: "10.0.0.0/24",
  [`${macs}/${primary}/vpc-ipv4-cidr-blocks`]: "10.0.0.0/16\n100.64.0.0/16",
  [`${macs}/${primary}/security-group-ids`]: "sg-1\nsg-2",
  [`${macs}/${second}/`]: "device-number\ninterface-id\nipv4-prefix\nlocal-ipv4s\nnetwork-card\nsubnet-id",
  [`${macs}/${second}/interface-id`]: "eni-2",
  [`${macs}/${second}/device-number`]: "1",
  [`${macs}/${second}/network-card`]: "1",
  [`${macs}/${second}/subnet-id`]: "subnet-1",
  [`${macs}/${second}/local-ipv4s`]: "10.0.0.11",
  [`${macs}/${second}/ipv4-prefix`]: "10.0.0.32/28",
};

/** A metadata service of a few lines; `answer` may stand in for a path. */
function serve(answer: (path: string) => Response | undefined = () => undefined) {
  const seen = { tokens: 0, gets: [] as string[] };
  let valid = "";
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      const path = new URL(request.url).pathname;
      if (request.method === "PUT") {
        expect(request.headers.get("x-aws-ec2-metadata-token-ttl-seconds")).toBe("21600");
        seen.tokens++;
        valid = `token-${seen.tokens}`;
        return new Response(valid);
      }
      if (request.headers.get("x-aws-ec2-metadata-token") !== valid) return new Response("", { status: 401 });
      seen.gets.push(path);
      const text = tree[path];
      return answer(path) ?? (text === undefined ? new Response("", { status: 404 }) : new Response(text));
    },
  });
  return { server, seen, forget: () => (valid = "none"), endpoint: `http://127.0.0.1:${server.port}` };
}

let running: ReturnType<typeof serve> | undefined;
afterEach(() => running?.server.stop(true));

function start(answer?: (path: string) => Response | undefined): { imds: Imds; clock: ManualClock } {
  running = serve(answer);
  const clock = new ManualClock();
  return { imds: createImds({ endpoint: running.endpoint, clock }), clock };
}

describe("the metadata client", () => {
  test("asks for one token however many reads start at once", async () => {
    const { imds } = start();
    await Promise.all([imds.get("meta-data/mac"), imds.get("meta-data/instance-id")]);
    await imds.get("meta-data/mac");
    expect(running?.seen.tokens).toBe(1);
  });

  test("takes a new token before the old one ends", async () => {
    const { imds, clock } = start();
    await imds.get("meta-data/mac");
    await clock.advance(21_600_000 - 60_001);
    await imds.get("meta-data/mac");
    expect(running?.seen.tokens).toBe(1);
    await clock.advance(1);
    await imds.get("meta-data/mac");
    expect(running?.seen.tokens).toBe(2);
  });

  test("takes a new token when the service has forgotten the old one", async () => {
    const { imds, clock } = start();
    await imds.get("meta-data/mac");
    running?.forget();
    const answer = imds.get("meta-data/instance-type");
    const waited = clock.advance(50).then(() => Bun.sleep(0));
    while (running?.seen.tokens !== 2) {
      await waited;
      await clock.advance(50);
      await Bun.sleep(1);
    }
    expect(await answer).toBe("m5.large");
  });

  test("a missing path is undefined for find and names itself for get, without a second try", async () => {
    const { imds } = start();
    expect(await imds.find("meta-data/ipv6")).toBeUndefined();
    const failure = await imds.get("meta-data/ipv6").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "not_found" });
    expect(String(failure)).toContain("/latest/meta-data/ipv6: status 404");
    expect(running?.seen.gets).toEqual(["/latest/meta-data/ipv6", "/latest/meta-data/ipv6"]);
  });

  test("kept connections that broke are replaced without a failure", async () => {
    const first = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("first") });
    const { port } = first;
    const imds = createImds({ endpoint: `http://127.0.0.1:${port}`, attempts: 1 });
    await Promise.all([1, 2, 3].map(() => imds.get("meta-data/mac")));
    await first.stop(true);
    const second = Bun.serve({ port: port ?? 0, hostname: "127.0.0.1", fetch: () => new Response("second") });
    try {
      expect(await imds.get("meta-data/mac")).toBe("second");
    } finally {
      await second.stop(true);
    }
  });

  test("nobody listening: an error that names the endpoint variable", async () => {
    const imds = createImds({ endpoint: "http://127.0.0.1:1", attempts: 1 });
    const failure = await imds.get("meta-data/mac").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "unavailable" });
    expect(String(failure)).toContain("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  });
});

describe("what the tree says", () => {
  test("the node's facts", async () => {
    const { imds } = start();
    expect(await readNodeFacts(imds, { ipv6: false })).toEqual({
      region: "us-west-2",
      availabilityZone: "us-west-2a",
      instanceId: "i-1",
      instanceType: "m5.large",
      primaryMac: primary,
      primaryEniId: "eni-1",
      subnetId: "subnet-1",
      vpcId: "vpc-1",
      localIpv4: "10.0.0.10",
      localIpv6: "",
    });
    expect(await readVpcCidrs(imds, primary, 4)).toEqual(["10.0.0.0/16", "100.64.0.0/16"]);
    expect(await readVpcCidrs(imds, primary, 6)).toEqual([]);
    expect(await readSecurityGroups(imds, primary)).toEqual(["sg-1", "sg-2"]);
  });

  test("the ENIs, primary first, prefixes and cards where listed", async () => {
    const { imds } = start();
    expect(await readEnis(imds, primary)).toMatchObject([
      {
        networkInterfaceId: "eni-1",
        mac: primary,
        primary: true,
        deviceNumber: 0,
        networkCard: 0,
        ipv4Addresses: ["10.0.0.10", "10.0.0.20", "10.0.0.21"],
        ipv4Prefixes: [],
        subnetIpv4Cidr: "10.0.0.0/24",
      },
      {
        networkInterfaceId: "eni-2",
        primary: false,
        deviceNumber: 1,
        networkCard: 1,
        ipv4Prefixes: ["10.0.0.32/28"],
      },
    ]);
    // Entries that the listing does not have are never asked for.
    expect(running?.seen.gets).not.toContain(`${macs}/${primary}/ipv4-prefix`);
  });

  test("an ENI that is detached while it is read is left out", async () => {
    const { imds } = start((path) =>
      path === `${macs}/${second}/interface-id` ? new Response("", { status: 404 }) : undefined,
    );
    expect((await readEnis(imds, primary)).map((eni) => eni.networkInterfaceId)).toEqual(["eni-1"]);
  });

  test("nonsense is refused with its path", async () => {
    const { imds } = start((path) => (path.endsWith("02/device-number") ? new Response("one") : undefined));
    const failure = await readEnis(imds, primary).catch((error: unknown) => error);
    expect(String(failure)).toContain(`macs/${second}/device-number: "one"; wanted a whole number`);
  });
});
