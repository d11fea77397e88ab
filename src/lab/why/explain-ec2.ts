import type { DecisionEntry } from "../../node/ipamd/decision-log.ts";
import type { PoolEntry } from "../../node/ipamd/pool-page.ts";
import type { Cause, ChainEnd, Link } from "./chain.ts";
import type { NodeSeen, Observation, SubnetSeen } from "./observation.ts";
import { counted } from "./words.ts";

interface Ending {
  readonly cause: Cause;
  readonly summary: (about: About) => string;
  readonly rule: string;
  readonly setting?: string;
  readonly change: (about: About) => readonly string[];
}

interface About {
  readonly seen: Observation;
  readonly node: NodeSeen;
  readonly subnet: SubnetSeen | undefined;
  readonly code: string;
  /** The refused call: "AssignPrivateIpAddresses". */
  readonly call: string;
}

const subnetName = ({ subnet }: About): string =>
  subnet === undefined ? "the node's subnet" : `subnet ${subnet.name} (${subnet.cidr})`;

const full: Ending = {
  cause: "subnet-full",
  summary: (about) =>
    (about.subnet?.free ?? 0) > 0
      ? `${subnetName(about)} had no free address when ipamd asked, and has ${about.subnet?.free} now: ipamd asks again`
      : `${subnetName(about)} has 0 free addresses: EC2 gives no more`,
  rule: "EC2 answers all or nothing; ipamd leaves a subnet alone for two minutes after this",
  change: ({ node }) => [
    "Free addresses in the subnet: fewer idle ones (WARM_ENI_TARGET=0 with WARM_IP_TARGET, MINIMUM_IP_TARGET), or fewer nodes in it",
    ...(node.env.ENABLE_SUBNET_DISCOVERY === "false"
      ? [
          "Let new ENIs go elsewhere: ENABLE_SUBNET_DISCOVERY=true and another subnet of the zone tagged kubernetes.io/role/cni=1",
        ]
      : ["Tag another subnet of the zone kubernetes.io/role/cni=1, so that new ENIs go there"]),
    "Add a secondary CIDR to the VPC with a subnet for pods (custom networking)",
  ],
};

const fragmented: Ending = {
  cause: "subnet-fragmented",
  summary: (about) =>
    (about.subnet?.freeBlocks ?? 0) > 0
      ? `${subnetName(about)} had no whole free /28 when ipamd asked, and has ${about.subnet?.freeBlocks} now: ipamd asks again`
      : `${subnetName(about)} has ${about.subnet?.free ?? "some"} free addresses but 0 whole free /28: no prefix can be had`,
  rule: "a prefix is an aligned block of 16 addresses of which none is in use; scattered free addresses do not help",
  setting: "ENABLE_PREFIX_DELEGATION=true",
  change: () => [
    "Reserve room for prefixes: aws ec2 create-subnet-cidr-reservation --reservation-type prefix, in a part that is empty or will be",
    "Tag a fresh subnet of the zone kubernetes.io/role/cni=1, so that new ENIs go there",
    "Use single addresses: ENABLE_PREFIX_DELEGATION=false",
  ],
};

const throttled: Ending = {
  cause: "throttled",
  summary: ({ call }) => `EC2 throttles ${call}: too many calls in the account and region`,
  rule: "calls share one token bucket per action, account and region; ipamd tries again later and later",
  change: () => [
    "Wait: ipamd tries again by itself",
    "Fewer calls: raise WARM_IP_TARGET or MINIMUM_IP_TARGET, or use prefixes, so that pods come without a call",
    "Find who else calls in the account and region, or ask AWS for a larger bucket",
    "eniverse break --list: is it throttled on purpose?",
  ],
};

const forbidden: Ending = {
  cause: "missing-permission",
  summary: ({ call }) => `the role of aws-node lacks the permission ec2:${call}`,
  rule: "EC2 refuses a call that the role's policies do not allow; asking again does not help",
  change: ({ call }) => [
    `Allow ec2:${call}: attach AmazonEKS_CNI_Policy (IPv6: its own policy) to the role of the service account aws-node, or of the node`,
    "Restart aws-node afterwards to lose no time: kubectl rollout restart ds aws-node -n kube-system",
    "eniverse break --list: is it refused on purpose?",
  ],
};

const limit: Ending = {
  cause: "eni-limit",
  summary: ({ node, code }) => `EC2 says that ${node.instanceType} can take no more (${code})`,
  rule: "EC2 enforces the limits of the instance type",
  change: () => ["A larger instance type, or more nodes", "Look for ENIs that others attached to the node"],
};

const endings: Readonly<Record<string, Ending>> = {
  InsufficientFreeAddressesInSubnet: full,
  InsufficientCidrBlocks: fragmented,
  RequestLimitExceeded: throttled,
  Throttling: throttled,
  ThrottlingException: throttled,
  UnauthorizedOperation: forbidden,
  AuthFailure: forbidden,
  PrivateIpAddressLimitExceeded: limit,
  AttachmentLimitExceeded: limit,
};

const other: Ending = {
  cause: "ec2-error",
  summary: ({ call, code }) => `EC2 answered ${code} to ${call}`,
  rule: "ipamd tries a failed call again, later and later",
  change: () => ["See the message of EC2 above", "eniverse break --list: is it broken on purpose?"],
};

/** What follows from an answer of EC2. */
export const ruleForCode = (code: string): string => (endings[code] ?? other).rule;

/** EC2's code in the text of an error: "cannot call EC2 AttachNetworkInterface: RequestLimitExceeded: …". */
export function ec2CodeIn(text: string): { readonly call: string; readonly code: string } | undefined {
  const match = /call EC2 (\w+): ([A-Z][\w.]+)/.exec(text);
  if (match?.[1] !== undefined && match[2] !== undefined) return { call: match[1], code: match[2] };
  const code = Object.keys(endings).find((known) => text.includes(known));
  return code === undefined ? undefined : { call: "a call", code };
}

/** The end of a chain at an answer of EC2, told by the decision that failed. */
export function ec2End(
  seen: Observation,
  node: NodeSeen,
  failed: DecisionEntry,
  before: readonly Link[],
): ChainEnd {
  const error = failed.outcome?.kind === "failed" ? failed.outcome.error : "";
  const known = ec2CodeIn(error);
  if (known === undefined) {
    return {
      cause: /eniconfig/i.test(error) ? "eniconfig-missing" : "ec2-error",
      summary: `ipamd could not carry out what it decided: ${error}`,
      links: [
        ...before,
        {
          what: error,
          evidence: `ipamd /v1/decisions, ${failed.time}`,
          rule: "ipamd tries again, later and later",
        },
      ],
      change: ["See the message above"],
    };
  }
  const { action } = failed;
  const insufficient =
    failed.outcome?.kind === "failed" ? failed.outcome.insufficientSubnets.at(-1) : undefined;
  const subnetId =
    action?.kind === "assign"
      ? action.subnetId
      : (insufficient ?? seen.enis.find((eni) => eni.instanceId === node.instanceId)?.subnetId);
  return {
    ...answerEnd(
      seen,
      node,
      known,
      subnetId,
      { error, witness: `ipamd /v1/decisions, ${failed.time}` },
      before,
    ),
  };
}

/** As {@link ec2End}, for an answer that another witness told of. */
export function answerEnd(
  seen: Observation,
  node: NodeSeen,
  known: { readonly call: string; readonly code: string },
  subnetId: string | undefined,
  told: { readonly error: string; readonly witness: string },
  before: readonly Link[],
): ChainEnd {
  const { code } = known;
  const ending = endings[code] ?? other;
  const hits = seen.failedCalls.filter((each) => each.code === code);
  const call = known.call === "a call" ? (hits.at(-1)?.action ?? "the call") : known.call;
  const subnet = seen.subnets.find((each) => each.subnetId === subnetId);
  const about = { seen, node, subnet, code, call };
  const logged = hits.length === 0 ? "" : `; EC2 answered ${code} to ${hits.length} of its latest calls`;
  return {
    cause: ending.cause,
    summary: ending.summary(about),
    links: [
      ...before,
      {
        what: `EC2 refused ${call}: ${code}`,
        evidence: `${told.witness}: ${shorten(told.error)}${logged}`,
        rule: ending.rule,
        ...(ending.setting === undefined ? {} : { setting: ending.setting }),
      },
      ...subnetLink(ending, subnet),
      ...(ending.cause === "subnet-full" && subnet !== undefined ? [useLink(seen, subnet)] : []),
    ],
    change: ending.change(about),
  };
}

function subnetLink({ cause }: Ending, subnet: SubnetSeen | undefined): Link[] {
  if (subnet === undefined || (cause !== "subnet-full" && cause !== "subnet-fragmented")) return [];
  return [
    {
      what: `${subnet.name} (${subnet.subnetId}, ${subnet.cidr}, ${subnet.zone}) has ${subnet.free} free addresses and ${subnet.freeBlocks} whole free /28 blocks`,
      evidence: "EC2 DescribeSubnets and DescribeNetworkInterfaces",
      rule: "five addresses of each subnet are AWS's own; every other one is free or on an ENI",
    },
  ];
}

/** Who has the addresses of a subnet: what pods have, what nodes keep, what is not ipamd's. */
function useLink({ nodes, enis }: Observation, { subnetId, name }: SubnetSeen): Link {
  const inSubnet = enis.filter((eni) => eni.subnetId === subnetId);
  const ids = new Set(inSubnet.map(({ eniId }) => eniId));
  const holders = nodes.filter(({ instanceId }) => inSubnet.some((eni) => eni.instanceId === instanceId));
  const entries = holders.flatMap(({ ipamd }) => (ipamd.answers ? ipamd.pool.addresses : []));
  const held = (state: PoolEntry["state"]): number =>
    entries.reduce((sum, each) => sum + (ids.has(each.eni) && each.state === state ? each.count : 0), 0);
  const others = inSubnet.filter((eni) => !holders.some(({ instanceId }) => instanceId === eni.instanceId));
  return {
    what: `of ${name}'s addresses pods have ${held("assigned")}; ${counted(holders.length, "node")} ${holders.length === 1 ? "keeps" : "keep"} ${held("warm")} warm and ${held("cooling")} cooling; ${counted(others.length, "ENI")} ${others.length === 1 ? "is" : "are"} not a node's`,
    evidence: "ipamd /v1/pool of each node, EC2 DescribeNetworkInterfaces",
    rule: "an address that one node keeps warm is out of reach for all others",
  };
}

const shorten = (text: string): string => (text.length > 220 ? `${text.slice(0, 220)}…` : text);
