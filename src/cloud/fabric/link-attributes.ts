import { linkMessage, setLinkRequest } from "../../linux/rtnetlink/link.ts";
import type { Rtnetlink, RtRequest } from "../../linux/rtnetlink/rtnetlink.ts";

/**
 * Lets TCP hand segments of up to 192 KiB to a device instead of 64 ("BIG TCP", IPv6 since Linux 5.19, IPv4 since
 * 6.3). Every hop of a lab costs per segment, not per byte, so the longer way through the router is made up for.
 */
const largestSegment = 196_608;

/** IFLA_… of <linux/if_link.h>. */
const ifla = { group: 27, gsoMaxSize: 41, groMaxSize: 58, gsoIpv4MaxSize: 63, groIpv4MaxSize: 64 } as const;

const sizes = [ifla.gsoMaxSize, ifla.groMaxSize, ifla.gsoIpv4MaxSize, ifla.groIpv4MaxSize];

/** Does nothing on kernels that cannot: they are slower, not wrong. */
export function allowBigSegments(rtnetlink: Rtnetlink, index: number): void {
  const request = setLinkRequest(index, {});
  const attempted = `allow segments of ${largestSegment} bytes on device ${index}`;
  rtnetlink.tryBatch([{ ...request, attempted, body: withNumbers(request.body, sizes, largestSegment) }]);
}

/** No device of the router is in this group but for the moment before its end. */
const doomedGroup = 0x0dead;

/**
 * Deletes devices of the namespace; those that are gone already are no failure. One device takes the kernel some
 * 20 ms, as it waits until nobody looks at it any more; a group of devices is as quick as one.
 */
export function deleteLinks(rtnetlink: Rtnetlink, indexes: readonly number[]): void {
  if (indexes.length === 0) return;
  const group = (request: RtRequest, attempted: string): RtRequest => ({
    ...request,
    attempted,
    body: withNumbers(request.body, [ifla.group], doomedGroup),
  });
  const outcomes = rtnetlink.tryBatch(
    indexes.map((index) => group(setLinkRequest(index, {}), `delete device ${index}`)),
  );
  const failure = outcomes.find((error) => error !== undefined && error.code !== "not_found");
  if (failure !== undefined) throw failure;
  if (outcomes.every((error) => error !== undefined)) return;
  const all = group(setLinkRequest(0, {}), `delete ${indexes.length} devices`);
  rtnetlink.batch([{ ...all, type: linkMessage.delete }]);
}

/** A message with one 32-bit number more for each attribute: struct nlattr { __u16 len, type }, then the number. */
function withNumbers(body: Uint8Array, attributes: readonly number[], value: number): Uint8Array {
  const longer = new Uint8Array(body.length + 8 * attributes.length);
  longer.set(body);
  for (const [number, attribute] of attributes.entries()) {
    const at = body.length + 8 * number;
    longer.set(new Uint8Array(Uint16Array.of(8, attribute).buffer), at);
    longer.set(new Uint8Array(Uint32Array.of(value).buffer), at + 4);
  }
  return longer;
}
