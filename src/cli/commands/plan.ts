import type { Command } from "commander";
import { addPlanFragmentation } from "./plan-fragmentation.ts";
import { addPlanStrategy } from "./plan-strategy.ts";
import { addPlanVpc } from "./plan-vpc.ts";
import { addPlanWarm } from "./plan-warm.ts";

export function addPlan(program: Command): void {
  const plan = program
    .command("plan")
    .description("Answers before anything is built: subnets, strategy, warm settings, fragmentation")
    .enablePositionalOptions()
    .addHelpText(
      "after",
      `
Examples:
  eniverse plan vpc --nodes 60 --pods-per-node 20 --instance-type m5.large --growth 8
  eniverse plan strategy --subnets subnets.json --enis enis.json --nodes-wanted 200
  eniverse plan warm --instance-type m5.xlarge --pods 20 --burst 15
  eniverse plan fragmentation --cidr 10.0.0.0/20`,
    );
  for (const add of [addPlanVpc, addPlanStrategy, addPlanWarm, addPlanFragmentation]) add(plan);
  for (const command of plan.commands) command.exitOverride().option("--name <lab>", "which lab, for --lab");
}
