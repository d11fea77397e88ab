import type { Command } from "commander";
import { observe } from "../../lab/why/observe.ts";
import { parseSubject } from "../../lab/why/subject.ts";
import { answerWhy } from "../../lab/why/why.ts";
import { connectToLab } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";
import { type OutputFormat, outputFormat, printAnswer } from "../output.ts";
import { printChain } from "../views/chain.ts";

interface Flags {
  readonly namespace: string;
  readonly output: OutputFormat;
}

export function addWhy(program: Command): void {
  program
    .command("why")
    .description("Why a pod waits or has its address; who holds an address, an ENI or a node's pool, and why")
    .argument("<subject>", "pod/NAME (or the start of it), address/IP, eni/ID or node/NAME")
    .option("-n, --namespace <namespace>", "the pod's", "default")
    .option("-o, --output <format>", "table, wide, json or yaml", outputFormat, "table")
    .addHelpText(
      "after",
      `
The answer is a chain: what is so, where it was seen, and the rule or setting that made the next link follow; at the end
stands what would change it.

Examples:
  eniverse why pod/web-7c9f4-x2x9k
  eniverse why pod/web                      the one that waits longest of those whose names start so
  eniverse why address/10.0.32.17
  eniverse why eni/eni-0a1b2c3d4e5f60718
  eniverse why node/ip-10-0-32-5 -o json`,
    )
    .action(async (text: string, { namespace, output }: Flags, command: Command) => {
      const subject = parseSubject(text, namespace);
      const { paths, kube, ec2 } = await connectToLab(labName(command));
      const seen = await observe({ paths, kube, ec2: await ec2() });
      const chain = answerWhy(seen, subject);
      if (output === "table" || output === "wide") process.stdout.write(printChain(chain));
      else printAnswer({ value: chain, table: { columns: [], rows: [] } }, output);
    });
}
