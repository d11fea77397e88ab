import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CloudBed } from "./cloud-bed.ts";

/** The AWS CLI is not a dependency: without it these are skipped, and the SDK's tests hold the same wire forms. */
const aws = Bun.which("aws");

describe.skipIf(aws === null)("the AWS CLI, unchanged", () => {
  let bed: CloudBed;
  beforeAll(async () => {
    bed = new CloudBed();
    const subnetIds = bed.cloud.network.subnets.map((subnet) => subnet.subnetId);
    await bed.cloud.createCluster({ name: "demo", version: "1.34", subnetIds, ipFamily: "ipv4" });
    await bed.cloud.updateCluster("demo", {
      status: "ACTIVE",
      endpoint: "https://127.0.0.1:6443",
      certificateAuthority: "PEM",
    });
  });
  afterAll(() => bed[Symbol.dispose]());

  async function run(...args: string[]): Promise<{ out: string; err: string }> {
    const child = Bun.spawn([aws ?? "aws", "--endpoint-url", bed.url, ...args], {
      stdout: "pipe",
      stderr: "pipe",
      env: {
        // Nothing of the caller's own settings; the endpoint is an argument, which every version takes.
        ...Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith("AWS_"))),
        AWS_ACCESS_KEY_ID: "AKIAENIVERSEADMIN000",
        AWS_SECRET_ACCESS_KEY: "eniverse-local-cloud-secret",
        AWS_DEFAULT_REGION: "us-west-2",
        AWS_CONFIG_FILE: "/dev/null",
        AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
        AWS_PAGER: "",
      },
    });
    const [out, err] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    await child.exited;
    return { out, err: err.trim() };
  }

  const patienceMs = 30_000;

  test(
    "launches, creates, describes",
    async () => {
      const subnet = bed.subnetId("private-us-west-2a");
      const launched = await run(
        "ec2",
        "run-instances",
        "--instance-type",
        "m5.large",
        "--image-id",
        "ami-0123",
        "--subnet-id",
        subnet,
        "--tag-specifications",
        "ResourceType=instance,Tags=[{Key=Name,Value=cli}]",
      );
      const { Instances } = JSON.parse(launched.out);
      expect(Instances[0]).toMatchObject({
        InstanceType: "m5.large",
        State: { Name: "pending" },
        Tags: [{ Key: "Name", Value: "cli" }],
      });
      const [created, types, refused] = await Promise.all([
        run(
          "ec2",
          "create-network-interface",
          "--subnet-id",
          subnet,
          "--description",
          "from the CLI",
          "--ipv4-prefix-count",
          "1",
        ),
        run(
          "ec2",
          "describe-instance-types",
          "--instance-types",
          "m5.large",
          "--query",
          "InstanceTypes[0].NetworkInfo.[MaximumNetworkInterfaces,Ipv4AddressesPerInterface]",
          "--output",
          "text",
        ),
        run("ec2", "create-network-interface", "--subnet-id", "subnet-0123"),
      ]);
      expect(JSON.parse(created.out).NetworkInterface).toMatchObject({
        Description: "from the CLI",
        Status: "pending",
      });
      expect(JSON.parse(created.out).NetworkInterface.Ipv4Prefixes).toHaveLength(1);
      expect(types.out).toBe("3\t10\n");
      expect(refused.err).toContain(
        "An error occurred (InvalidSubnetID.NotFound) when calling the CreateNetworkInterface operation: The subnet ID 'subnet-0123' does not exist",
      );
    },
    patienceMs,
  );

  test(
    "prints interfaces as a table",
    async () => {
      const { out } = await run(
        "ec2",
        "describe-network-interfaces",
        "--filters",
        "Name=description,Values=Amazon EKS demo",
        "--output",
        "table",
      );
      const lines = out.split("\n");
      expect(lines[1]).toMatch(/^\| +DescribeNetworkInterfaces +\|$/);
      const cells = new Map(
        lines.flatMap((line) => {
          const cell = /^\|+ +(\w+) +\| +(.*?) +\|+$/.exec(line);
          return cell?.[1] === undefined ? [] : [[cell[1], cell[2]] as const];
        }),
      );
      expect(cells.get("Description")).toBe("Amazon EKS demo");
      expect(cells.get("InterfaceType")).toBe("interface");
      expect(cells.get("InstanceOwnerId")).toBe("444455556666");
      expect(cells.get("OwnerId")).toBe("111122223333");
      expect(cells.get("NetworkInterfaceId")).toMatch(/^eni-0[0-9a-f]{16}$/);
      expect(cells.get("PrivateIpAddress")).toMatch(/^192\.168\.\d+\.\d+$/);
      expect(lines.filter((line) => /\| +NetworkInterfaces +\|/.test(line))).toHaveLength(2);
    },
    patienceMs,
  );

  test(
    "knows the cluster and the caller",
    async () => {
      const [cluster, caller] = await Promise.all([
        run("eks", "describe-cluster", "--name", "demo"),
        run("sts", "get-caller-identity", "--query", "Arn", "--output", "text"),
      ]);
      expect(JSON.parse(cluster.out).cluster).toMatchObject({
        name: "demo",
        status: "ACTIVE",
        certificateAuthority: { data: "UEVN" },
      });
      expect(caller.out).toBe("arn:aws:iam::111122223333:user/admin\n");
    },
    patienceMs,
  );
});
