import { rules } from "./examine.ts";
import type { Input, Rule } from "./rule.ts";

/** How each part of an input is had from a cluster that is there. */
export const partSources: Readonly<Record<keyof Input, string>> = {
  subnets: "--subnets (aws ec2 describe-subnets)",
  clusterSubnets: "--enis, from the control plane's interfaces; a lab file's `cluster.subnets`",
  enis: "--enis (aws ec2 describe-network-interfaces)",
  nodes: "--nodes (kubectl get nodes -o json)",
  env: "--daemonsets (kubectl get ds -A -o json), from aws-node",
  initEnv: "--daemonsets, from aws-node's init container",
  probeTimeouts: "--daemonsets, from aws-node",
  serviceAccount: "--service-account (kubectl get sa aws-node -n kube-system -o json)",
  podCredentials: "--pods, from the pods of aws-node",
  eniConfigs: "--eniconfigs (kubectl get eniconfigs -o json)",
  daemonSets: "--daemonsets (kubectl get ds -A -o json)",
  pods: "--pods (kubectl get pods -A -o json)",
  forwardPolicies: "--lab only: the FORWARD chain of each node",
};

/** The text of docs/doctor.md, made from the rules themselves. */
export function doctorPage(): string {
  return [
    "# doctor",
    "",
    "`eniverse doctor` holds a network against good practice. It looks at the running lab (`--lab`), at exported JSON, or at",
    "a plan or `lab.yaml` before anything is built. Nothing is changed anywhere.",
    "",
    "```console",
    "$ eniverse doctor --lab",
    "$ eniverse doctor lab.yaml --fail-on warning",
    "$ aws ec2 describe-subnets > subnets.json; aws ec2 describe-network-interfaces > enis.json",
    "$ kubectl get ds -A -o json > ds.json; kubectl get nodes -o json > nodes.json",
    "$ eniverse doctor --subnets subnets.json --enis enis.json --nodes nodes.json --daemonsets ds.json",
    "```",
    "",
    "The exit status is 1 when a rule of severity error found something, with `--fail-on warning` also for warnings. A rule",
    'whose inputs are missing is told as "not checked". `-o json` has the same findings for programs. This page is made',
    "from the rules in `src/doctor/` (`npm run docs`); a test holds that it is fresh.",
    "",
    ...rules.flatMap(ruleLines),
    "## Where the inputs are from",
    "",
    "| input | from |",
    "|---|---|",
    ...Object.entries(partSources).map(([part, source]) => `| \`${part}\` | ${source} |`),
    "",
  ].join("\n");
}

function ruleLines({ id, severity, title, why, fix, source, needs }: Rule): string[] {
  return [
    `## ${id}`,
    "",
    `${title}. (${severity}; needs ${needs.map((part) => `\`${part}\``).join(", ")})`,
    "",
    `- Why: ${why}`,
    `- Fix: ${fix}`,
    `- Source: ${source}`,
    "",
  ];
}
