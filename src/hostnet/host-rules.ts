import { type Cidr4, parseCidr } from "../addr/cidr.ts";
import { hostCidr } from "../linux/rtnetlink/family.ts";
import {
  type Family,
  type IpAddress,
  type Rule,
  type RuleSpec,
  routeTable,
} from "../linux/rtnetlink/values.ts";
import { mainTable, rulePriority } from "./route-tables.ts";

/** What the node's own routing rules depend on. */
export interface HostRuleSettings {
  readonly family: Family;
  readonly connmark: number;
  readonly nodePortSupport: boolean;
  readonly externalSnat: boolean;
  /** Security groups for pods in strict mode: branch pods are routed before the local table. */
  readonly strictBranchPods: boolean;
}

/** A change of the node's rules; what is to be added comes first, so that no packet falls in between. */
export interface RuleChanges {
  readonly add: readonly RuleSpec[];
  readonly remove: readonly Rule[];
}

const localFirst = 0;
const icmpv6 = 58;

/** The VPC's IPv6 router, whose advertisements must reach the local table even in strict mode. */
const ipv6Router = parseCidr("fe80:ec2::1/128");

/**
 * Rules of priorities 0, 20 and 1024. A marked connection is routed by main; the rule is needed while something
 * sets the mark. In strict mode the local table comes after the rules of branch pods. `rules` are those of the
 * settings' family.
 */
export function planHostRules(settings: HostRuleSettings, rules: readonly Rule[]): RuleChanges {
  const { family, connmark, strictBranchPods } = settings;
  const marked: RuleSpec = {
    family,
    priority: rulePriority.connmark,
    fwmark: connmark,
    fwmask: connmark,
    table: mainTable,
  };
  const local = (priority: number): RuleSpec => ({ family, priority, table: routeTable.local });
  const router: RuleSpec = {
    family,
    priority: localFirst,
    from: ipv6Router,
    ipProtocol: icmpv6,
    table: routeTable.local,
  };
  const wanted = [
    ...(settings.nodePortSupport || !settings.externalSnat ? [marked] : []),
    local(strictBranchPods ? rulePriority.movedLocal : localFirst),
    ...(strictBranchPods && family === 6 ? [router] : []),
  ];
  const ours = rules.filter(
    (rule) =>
      (rule.priority === rulePriority.connmark && rule.fwmark !== undefined && rule.table === mainTable) ||
      ((rule.priority === localFirst || rule.priority === rulePriority.movedLocal) &&
        rule.table === routeTable.local),
  );
  return difference(ours, wanted);
}

/**
 * Rules 1535: these destinations are always routed by main, so that they see the node's primary ENI.
 */
export function planExternalServiceRules(cidrs: readonly Cidr4[], rules: readonly Rule[]): RuleChanges {
  const wanted = cidrs.map(
    (to): RuleSpec => ({ family: 4, priority: rulePriority.externalService, to, table: mainTable }),
  );
  const ours = rules.filter(
    (rule) => rule.priority === rulePriority.externalService && rule.table === mainTable,
  );
  return difference(ours, wanted);
}

/**
 * At the start: older versions made a rule per VPC block for a pod's address. Each address that has rules as a
 * source shall have a single one, of priority 1536, to the table of the last.
 */
export function planPodRules(addresses: readonly IpAddress[], rules: readonly Rule[]): RuleChanges {
  const bySource = new Map<IpAddress, Rule[]>();
  for (const rule of rules) {
    if (rule.from === undefined || rule.from.bits !== hostCidr(rule.from.base).bits) continue;
    const known = bySource.get(rule.from.base);
    if (known === undefined) bySource.set(rule.from.base, [rule]);
    else known.push(rule);
  }
  const add: RuleSpec[] = [];
  const remove: Rule[] = [];
  for (const address of new Set(addresses)) {
    const present = bySource.get(address) ?? [];
    const last = present.at(-1);
    if (last?.table === undefined) continue;
    const from = hostCidr(address);
    const wanted = { family: from.family, priority: rulePriority.fromPod, from, table: last.table };
    const change = difference(present, [wanted]);
    add.push(...change.add);
    remove.push(...change.remove);
  }
  return { add, remove };
}

/** Tables of branch pods: their VLAN id and 100. */
const isBranchTable = (table: number | undefined): boolean =>
  table !== undefined && table > 100 && table < 10_000 && table !== mainTable;

/**
 * At the start: rules to and from single addresses that no pod holds. A pod's route goes with its device, but rules
 * stay when ipamd or the plugin is killed between the pod's end and theirs, or between their making and the
 * checkpoint. Branch pods are known by their table; ipamd does not know of them.
 */
export function planLeftoverRules(addresses: readonly IpAddress[], rules: readonly Rule[]): RuleChanges {
  const held = new Set(addresses);
  const single = (block: Rule["from"]): IpAddress | undefined =>
    block !== undefined && block.bits === hostCidr(block.base).bits ? block.base : undefined;
  const fromPod = rules.filter(({ priority }) => priority === rulePriority.fromPod);
  for (const { from, table } of fromPod) {
    const address = single(from);
    if (address !== undefined && isBranchTable(table)) held.add(address);
  }
  const toPod = rules.filter(({ priority, table }) => priority === rulePriority.toPod && table === mainTable);
  const isLeft = (address: IpAddress | undefined): boolean => address !== undefined && !held.has(address);
  return {
    add: [],
    remove: [
      ...toPod.filter(({ to, from }) => from === undefined && isLeft(single(to))),
      ...fromPod.filter(({ from }) => isLeft(single(from))),
    ],
  };
}

function difference(present: readonly Rule[], wanted: readonly RuleSpec[]): RuleChanges {
  const left = [...present];
  const add: RuleSpec[] = [];
  for (const spec of wanted) {
    const index = left.findIndex((rule) => sameRule(rule, spec));
    if (index < 0) add.push(spec);
    else left.splice(index, 1);
  }
  return { add, remove: left };
}

/** True when a listed rule says what the specification says; who made it does not count. */
export function sameRule(rule: Rule, spec: RuleSpec): boolean {
  return (
    rule.family === spec.family &&
    rule.priority === spec.priority &&
    rule.from?.base === spec.from?.base &&
    rule.from?.bits === spec.from?.bits &&
    rule.to?.base === spec.to?.base &&
    rule.to?.bits === spec.to?.bits &&
    rule.iif === spec.iif &&
    rule.oif === spec.oif &&
    rule.fwmark === spec.fwmark &&
    (rule.fwmask ?? 0xffffffff) === (spec.fwmask ?? 0xffffffff) &&
    rule.ipProtocol === spec.ipProtocol &&
    rule.action === (spec.action ?? "lookup") &&
    rule.table === spec.table
  );
}
