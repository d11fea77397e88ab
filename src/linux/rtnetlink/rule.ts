import type { Cidr } from "../../addr/cidr.ts";
import { EniverseError } from "../../base/error.ts";
import { hostIsLittleEndian as le, viewOf } from "../netlink/align.ts";
import { AttributeDecoder, AttributeEncoder } from "../netlink/attribute.ts";
import type { NetlinkRequest } from "../netlink/conversation.ts";
import {
  addressBytes,
  afOf,
  checkDeviceName,
  cidrOf,
  describeCidr,
  familyOfAf,
  readAddress,
} from "./family.ts";
import { addRequest, listRequest, plainRequest } from "./request.ts";
import type { Family, IpAddress, Rule, RuleAction, RuleSpec, Tolerance } from "./values.ts";

/** <linux/rtnetlink.h> */
export const ruleMessage = { new: 32, delete: 33, get: 34 } as const;

/**
 * struct fib_rule_hdr of <linux/fib_rules.h>: __u8 family, dst_len, src_len, tos, table, res1, res2, action;
 * __u32 flags.
 */
const ruleHeaderLength = 12;
const FIB_RULE_INVERT = 2;

/** enum FRA_… of <linux/fib_rules.h> */
const fra = {
  to: 1,
  from: 2,
  iif: 3,
  priority: 6,
  fwmark: 10,
  suppressPrefixLength: 14,
  table: 15,
  fwmask: 16,
  oif: 17,
  protocol: 21,
  ipProtocol: 22,
} as const;

/** FR_ACT_… ; 2 (goto) is not supported. */
const actions: Readonly<Record<RuleAction, number>> = {
  lookup: 1,
  nop: 3,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
};
const actionNames = new Map(Object.entries(actions).map(([name, number]) => [number, name as RuleAction]));

/** The kernel sends this for "nothing is suppressed". */
const suppressNothing = 0xffffffff;

/** Throws `already_exists` when run and an equal rule is there, unless tolerated. */
export function addRuleRequest(spec: RuleSpec, options?: Tolerance): NetlinkRequest {
  return addRequest(
    { attempted: `add the rule ${describeRule(spec)}`, type: ruleMessage.new, body: encodeRule(spec, "add") },
    options,
  );
}

/** Deletes the first rule that has all the fields of `spec`; absent fields match anything. */
export function deleteRuleRequest(spec: RuleSpec, options?: Tolerance): NetlinkRequest {
  return plainRequest(
    {
      attempted: `delete the rule ${describeRule(spec)}`,
      type: ruleMessage.delete,
      body: encodeRule(spec, "delete"),
    },
    options,
  );
}

/** The rule in the words of `ip rule`. */
export function describeRule(rule: RuleSpec): string {
  const words: string[] = [];
  if (rule.priority !== undefined) words.push(`priority ${rule.priority}`);
  if (rule.invert) words.push("not");
  words.push(`from ${rule.from === undefined ? "all" : describeCidr(rule.from)}`);
  if (rule.to !== undefined) words.push(`to ${describeCidr(rule.to)}`);
  if (rule.iif !== undefined) words.push(`iif ${rule.iif}`);
  if (rule.oif !== undefined) words.push(`oif ${rule.oif}`);
  if (rule.fwmark !== undefined) {
    const mask = rule.fwmask === undefined ? "" : `/0x${rule.fwmask.toString(16)}`;
    words.push(`fwmark 0x${rule.fwmark.toString(16)}${mask}`);
  }
  if (rule.ipProtocol !== undefined) words.push(`ipproto ${rule.ipProtocol}`);
  const action = rule.action ?? "lookup";
  words.push(action === "lookup" ? `lookup ${rule.table ?? "any"}` : action);
  return words.join(" ");
}

/** The body, its attributes in the order in which they are commonly given to `ip rule`. */
function encodeRule(rule: RuleSpec, purpose: "add" | "delete"): Uint8Array {
  const adding = purpose === "add";
  const action = rule.action ?? (adding ? "lookup" : undefined);
  if (adding && action === "lookup" && rule.table === undefined) {
    throw new EniverseError("invalid_argument", {
      attempted: `add the rule ${describeRule(rule)}`,
      found: "no table",
      wanted: "the table to look up",
    });
  }
  const table = rule.table ?? 0;
  const body = new AttributeEncoder();
  const view = body.struct(ruleHeaderLength);
  view.setUint8(0, afOf(rule.family));
  view.setUint8(1, rule.to?.bits ?? 0);
  view.setUint8(2, rule.from?.bits ?? 0);
  view.setUint8(4, table < 256 ? table : 0);
  view.setUint8(7, action === undefined ? 0 : actions[action]);
  view.setUint32(8, rule.invert ? FIB_RULE_INVERT : 0, le);
  encodeBlock(body, fra.from, rule, rule.from);
  encodeBlock(body, fra.to, rule, rule.to);
  if (rule.iif !== undefined) body.string(fra.iif, checkDeviceName(rule.iif));
  if (rule.oif !== undefined) body.string(fra.oif, checkDeviceName(rule.oif));
  if (rule.fwmark !== undefined) body.u32(fra.fwmark, rule.fwmark);
  if (rule.fwmask !== undefined) body.u32(fra.fwmask, rule.fwmask);
  if (rule.ipProtocol !== undefined) body.u8(fra.ipProtocol, rule.ipProtocol);
  if (rule.suppressPrefixLength !== undefined) body.u32(fra.suppressPrefixLength, rule.suppressPrefixLength);
  if (table > 255) body.u32(fra.table, table);
  if (rule.protocol !== undefined) body.u8(fra.protocol, rule.protocol);
  if (rule.priority !== undefined) body.u32(fra.priority, rule.priority);
  return body.finish();
}

function encodeBlock(body: AttributeEncoder, type: number, rule: RuleSpec, block: Cidr | undefined): void {
  if (block === undefined) return;
  if (block.family !== rule.family) {
    throw new EniverseError("invalid_argument", {
      attempted: `encode an IPv${rule.family} rule`,
      found: `the IPv${block.family} block ${describeCidr(block)}`,
    });
  }
  if (block.bits > 0) body.bytes(type, addressBytes(block.base));
}

export function listRulesRequest(family: Family): NetlinkRequest {
  const body = new AttributeEncoder();
  body.struct(ruleHeaderLength).setUint8(0, afOf(family));
  return listRequest(`list IPv${family} rules`, ruleMessage.get, body.finish());
}

/** Reads an RTM_NEWRULE; undefined when it is of another family or has a goto. Throws `corrupted`. */
export function decodeRule(body: Uint8Array): Rule | undefined {
  const attributes = new AttributeDecoder(body, ruleHeaderLength, "a rule");
  attributes.finish();
  const view = viewOf(body);
  const family = familyOfAf(view.getUint8(0));
  const action = actionNames.get(view.getUint8(7));
  if (family === undefined || action === undefined) return undefined;
  let table = view.getUint8(4);
  let priority = 0;
  let protocol = 0;
  let from: IpAddress | undefined;
  let to: IpAddress | undefined;
  const more: {
    iif?: string;
    oif?: string;
    fwmark?: number;
    fwmask?: number;
    ipProtocol?: number;
    suppressPrefixLength?: number;
  } = {};
  while (attributes.next()) {
    switch (attributes.type) {
      case fra.from:
        from = readAddress(attributes, family);
        break;
      case fra.to:
        to = readAddress(attributes, family);
        break;
      case fra.iif:
        more.iif = attributes.string();
        break;
      case fra.oif:
        more.oif = attributes.string();
        break;
      case fra.fwmark:
        more.fwmark = attributes.u32();
        break;
      case fra.fwmask:
        more.fwmask = attributes.u32();
        break;
      case fra.ipProtocol:
        more.ipProtocol = attributes.u8();
        break;
      case fra.suppressPrefixLength: {
        const length = attributes.u32();
        if (length !== suppressNothing) more.suppressPrefixLength = length;
        break;
      }
      case fra.table:
        table = attributes.u32();
        break;
      case fra.protocol:
        protocol = attributes.u8();
        break;
      case fra.priority:
        priority = attributes.u32();
        break;
    }
  }
  attributes.finish();
  return {
    family,
    priority,
    action,
    protocol,
    ...(from === undefined ? {} : { from: cidrOf(family, from, view.getUint8(2)) }),
    ...(to === undefined ? {} : { to: cidrOf(family, to, view.getUint8(1)) }),
    ...(action === "lookup" ? { table } : {}),
    ...((view.getUint32(8, le) & FIB_RULE_INVERT) !== 0 ? { invert: true } : {}),
    ...more,
  };
}
