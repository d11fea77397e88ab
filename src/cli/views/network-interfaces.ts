import type { NetworkInterface } from "@aws-sdk/client-ec2";
import { prefixesOf } from "../../lab/address-homes.ts";
import type { Answer } from "../output.ts";

/** `get network-interfaces`, with eksdemo's columns; wide adds what eksdemo does not show: prefixes and devices. */
export function networkInterfacesView(enis: readonly NetworkInterface[], accountId: string): Answer {
  const row = (eni: NetworkInterface): string[] => [
    `${isPrimary(eni) ? "*" : ""}${eni.NetworkInterfaceId ?? "-"}`,
    holderOf(eni, accountId),
    eni.PrivateIpAddress ?? "-",
    String(eni.PrivateIpAddresses?.length ?? 0),
    String(eni.Groups?.length ?? 0),
    eni.SubnetId ?? "-",
  ];
  const columns = ["Id", "Instance Id or...", "Private IPv4", "IPs", "SGs", "Subnet"];
  const footers = ["* Indicates Primary network interface"];
  return {
    value: enis,
    table: { columns, rows: enis.map(row), footers },
    wide: {
      columns: [...columns, "IPv6", "Prefixes", "Device", "Card", "Status", "Type", "MAC", "Description"],
      rows: enis.map((eni) => [
        ...row(eni),
        eni.Ipv6Addresses?.map(({ Ipv6Address }) => Ipv6Address ?? "-").join("\n") || "-",
        String(prefixesOf(eni).length),
        String(eni.Attachment?.DeviceIndex ?? "-"),
        String(eni.Attachment?.NetworkCardIndex ?? "-"),
        eni.Status ?? "-",
        eni.InterfaceType ?? "-",
        eni.MacAddress ?? "-",
        eni.Description || "-",
      ]),
      footers,
    },
  };
}

/** eksdemo takes a missing device index for 0; we ask for a real one, so that control plane ENIs get no star. */
function isPrimary(eni: NetworkInterface): boolean {
  const { DeviceIndex: device, NetworkCardIndex: card = 0, InstanceId: instance } = eni.Attachment ?? {};
  return device === 0 && card === 0 && instance !== undefined;
}

function holderOf(eni: NetworkInterface, accountId: string): string {
  const { Attachment: attachment } = eni;
  if (attachment === undefined) return "detached";
  if (attachment.InstanceId !== undefined) return attachment.InstanceId;
  if (eni.InterfaceType !== undefined && eni.InterfaceType !== "interface") return eni.InterfaceType;
  if (attachment.InstanceOwnerId === "amazon-elb") return "load-balancer";
  if (attachment.InstanceOwnerId === accountId) return "-";
  return eni.Description?.startsWith("Amazon EKS") ? "eks_control_plane" : "fargate_pod";
}
