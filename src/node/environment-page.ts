import { variables } from "./environment.ts";

/** The text of docs/environment.md, made from the definition that the programs read their environment by. */
export function environmentPage(): string {
  const rows = Object.values(variables).map((variable) =>
    [
      `\`${variable.name}\``,
      variable.codeDefault === undefined ? "–" : cell(variable.codeDefault),
      variable.manifest === undefined ? "–" : cell(variable.manifest),
      variable.values,
      variable.meaning,
      variable.refused === undefined ? variable.readers.join(", ") : `no effect: ${variable.refused}`,
    ].map((text) => text.replaceAll("|", "\\|")),
  );
  return [
    "# Variables of the aws-node DaemonSet",
    "",
    "Set them as on EKS: `kubectl set env daemonset aws-node -n kube-system NAME=VALUE` rolls them out. This page is made",
    "from `src/node/environment.ts` by `npm run docs`; a test holds that it is fresh.",
    "",
    "| variable | default | in the manifest | values | meaning | read by |",
    "|---|---|---|---|---|---|",
    ...rows.map((row) => `| ${row.join(" | ")} |`),
    "",
  ].join("\n");
}

function cell(text: string): string {
  return text === "" ? "empty" : `\`${text}\``;
}
