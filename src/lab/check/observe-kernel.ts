import { formatCidr } from "../../addr/cidr.ts";
import { isPortDevice } from "../../cloud/fabric/names.ts";
import { Netns } from "../../linux/netns.ts";
import { formatAddress } from "../../linux/rtnetlink/family.ts";
import { Rtnetlink } from "../../linux/rtnetlink/rtnetlink.ts";
import { routeProtocol, routeTable } from "../../linux/rtnetlink/values.ts";
import type { Kernel, PodInside, RouterRoute } from "./picture.ts";

function inRtnetlink<T>(netnsPath: string, read: (rt: Rtnetlink) => T): T {
  using ns = Netns.open(netnsPath);
  using rt = Rtnetlink.open(ns);
  return read(rt);
}

const isLinkLocal = (address: string): boolean => address.startsWith("fe80:");

/** Links, addresses, routes and rules of a node's own namespace. */
export function observeKernel(netnsPath: string): Kernel {
  return inRtnetlink(netnsPath, (rt) => {
    const links = rt.links();
    const names = new Map(links.map((link) => [link.index, link.name]));
    const deviceOf = (index: number | undefined): string => names.get(index ?? 0) ?? "";
    return {
      links: links.map(({ name, kind, mac, up }) => ({
        name,
        up,
        ...(kind === undefined ? {} : { kind }),
        ...(mac === undefined ? {} : { mac }),
      })),
      addresses: rt
        .addresses()
        .map(({ interfaceIndex, address }) => ({
          device: deviceOf(interfaceIndex),
          address: formatAddress(address),
        }))
        .filter(({ address }) => !isLinkLocal(address)),
      routes: rt
        .routes()
        .filter(({ type, table }) => type === "unicast" && table !== routeTable.local)
        .map(({ destination, table, interfaceIndex }) => ({
          destination: formatCidr(destination),
          table,
          device: deviceOf(interfaceIndex),
        })),
      rules: ([4, 6] as const)
        .flatMap((family) => rt.rules(family))
        .map(({ priority, from, to, table }) => ({
          priority,
          ...(from === undefined ? {} : { from: formatCidr(from) }),
          ...(to === undefined ? {} : { to: formatCidr(to) }),
          ...(table === undefined ? {} : { table }),
        })),
    };
  });
}

/** What a pod sees of its network. */
export function observePod(netnsPath: string): PodInside {
  return inRtnetlink(netnsPath, (rt) => {
    const devices = new Map(
      rt
        .links()
        .filter((link) => !link.loopback)
        .map((link) => [link.index, link.name]),
    );
    return {
      addresses: rt
        .addresses()
        .filter(({ interfaceIndex }) => devices.has(interfaceIndex))
        .map(({ address }) => formatAddress(address))
        .filter((address) => !isLinkLocal(address)),
      defaultDevices: rt
        .routes({ table: routeTable.main })
        .filter(({ destination, type }) => destination.bits === 0 && type === "unicast")
        .flatMap(({ interfaceIndex }) => devices.get(interfaceIndex ?? 0) ?? []),
    };
  });
}

/** The routes of the VPC's router that lead through the devices of ENIs. */
export function observeRouterRoutes(netnsPath: string): RouterRoute[] {
  return inRtnetlink(netnsPath, (rt) => {
    const ports = new Map(
      rt
        .links()
        .filter((link) => isPortDevice(link.name))
        .map((link) => [link.index, link]),
    );
    return rt
      .routes({ table: routeTable.main })
      .filter(({ type, protocol }) => type === "unicast" && protocol !== routeProtocol.kernel)
      .flatMap(({ destination, interfaceIndex }) => {
        const port = ports.get(interfaceIndex ?? 0);
        if (port === undefined) return [];
        // The fabric writes "eni ID MAC PLACE DEVICE" into a port's alias.
        const eniId = port.alias?.split(" ")[1];
        return [
          {
            destination: formatCidr(destination),
            device: port.name,
            ...(eniId === undefined ? {} : { eniId }),
          },
        ];
      });
  });
}
