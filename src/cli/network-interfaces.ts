import type { EC2Client, NetworkInterface } from "@aws-sdk/client-ec2";

/** All network interfaces, page by page, ordered by subnet, instance and device. */
export async function allNetworkInterfaces(client: EC2Client): Promise<NetworkInterface[]> {
  const { paginateDescribeNetworkInterfaces } = await import("@aws-sdk/client-ec2");
  const enis: NetworkInterface[] = [];
  for await (const page of paginateDescribeNetworkInterfaces({ client }, { MaxResults: 1000 })) {
    enis.push(...(page.NetworkInterfaces ?? []));
  }
  const orderOf = (eni: NetworkInterface): string =>
    [eni.Attachment?.InstanceId ?? "~", String(eni.Attachment?.DeviceIndex ?? 99).padStart(3, "0")].join(" ");
  return enis.sort((a, b) => orderOf(a).localeCompare(orderOf(b)));
}
