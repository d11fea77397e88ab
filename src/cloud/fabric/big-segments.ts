import { setLinkRequest } from "../../linux/rtnetlink/link.ts";
import type { Rtnetlink, RtRequest } from "../../linux/rtnetlink/rtnetlink.ts";

/**
 * Lets TCP hand segments of up to 192 KiB to a device instead of 64 ("BIG TCP", IPv6 since Linux 5.19, IPv4 since
 * 6.3). Every hop of a lab costs per segment, not per byte, so the longer way through the router is made up for.
 */
const largestSegment = 196_608;

/** IFLA_GSO_MAX_SIZE, IFLA_GRO_MAX_SIZE, IFLA_GSO_IPV4_MAX_SIZE, IFLA_GRO_IPV4_MAX_SIZE of <linux/if_link.h>. */
const sizeAttributes = [41, 58, 63, 64] as const;

function bigSegmentsRequest(index: number): RtRequest {
  const request = setLinkRequest(index, {});
  const body = new Uint8Array(request.body.length + 8 * sizeAttributes.length);
  body.set(request.body);
  const words16 = new Uint16Array(2);
  const words32 = new Uint32Array(1);
  let offset = request.body.length;
  for (const type of sizeAttributes) {
    words16.set([8, type]);
    words32.set([largestSegment]);
    body.set(new Uint8Array(words16.buffer), offset);
    body.set(new Uint8Array(words32.buffer), offset + 4);
    offset += 8;
  }
  return { ...request, attempted: `allow segments of ${largestSegment} bytes on device ${index}`, body };
}

/** Does nothing on kernels that cannot: they are slower, not wrong. */
export function allowBigSegments(rtnetlink: Rtnetlink, index: number): void {
  rtnetlink.tryBatch([bigSegmentsRequest(index)]);
}
