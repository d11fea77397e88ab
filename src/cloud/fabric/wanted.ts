import type { Ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";

export type IpAddress = Ipv4 | Ipv6;
