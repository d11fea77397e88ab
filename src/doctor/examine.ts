import type { Input, Rule, Severity, Sight } from "./rule.ts";
import { settingsRules } from "./settings-rules.ts";
import { subnetRules } from "./subnet-rules.ts";
import { workloadRules } from "./workload-rules.ts";

/** Every rule, in the order in which they are told. */
export const rules: readonly Rule[] = [...subnetRules, ...settingsRules, ...workloadRules];

export interface Finding {
  readonly id: string;
  readonly severity: Severity;
  readonly about: string;
  readonly seen: string;
  readonly why: string;
  readonly fix: string;
  readonly source: string;
}

export interface Examination {
  /** Errors first. */
  readonly findings: readonly Finding[];
  /** Rules that found nothing. */
  readonly fine: readonly string[];
  readonly notChecked: readonly { readonly id: string; readonly missing: readonly (keyof Input)[] }[];
}

/** Pure: holds an input against every rule. */
export function examine(input: Input, table: readonly Rule[] = rules): Examination {
  const findings: Finding[] = [];
  const fine: string[] = [];
  const notChecked: Examination["notChecked"][number][] = [];
  for (const rule of table) {
    const missing = rule.needs.filter((part) => input[part] === undefined);
    if (missing.length > 0) {
      notChecked.push({ id: rule.id, missing });
      continue;
    }
    const sights = rule.check(input);
    if (sights.length === 0) fine.push(rule.id);
    findings.push(...sights.map((sight) => findingOf(rule, sight)));
  }
  findings.sort((a, b) => Number(b.severity === "error") - Number(a.severity === "error"));
  return { findings, fine, notChecked };
}

function findingOf({ id, severity, why, fix, source }: Rule, sight: Sight): Finding {
  return { id, severity: sight.severity ?? severity, about: sight.about, seen: sight.seen, why, fix, source };
}

/** True when an examination is to fail a build. */
export function fails({ findings }: Examination, failOn: Severity): boolean {
  return findings.some(({ severity }) => severity === "error" || failOn === "warning");
}
