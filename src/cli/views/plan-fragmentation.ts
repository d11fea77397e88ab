import type { FragmentationAnswer } from "../../plan/fragmentation.ts";
import type { PlanAnswer } from "../plan-flags.ts";

/** `map` draws the subnet as it is, a sign for each /28. */
export const fragmentationForms: readonly string[] = ["map"];

/** One subnet: a row for each share of use. */
export function fragmentationView(answer: FragmentationAnswer): PlanAnswer {
  const columns = ["Used", "Addresses", "Free", "Free /28 expected", "In trials", "Chance of none"];
  const rows = answer.chance.map((row) => [
    `${row.usedPercent}%`,
    String(row.used),
    String(row.free),
    row.expectedBlocks.toFixed(2),
    row.meanBlocks.toFixed(2),
    `${Math.round(row.chanceOfNone * 100)}%`,
  ]);
  const footers = [
    `${answer.cidr}: ${answer.usable} addresses, ${answer.blocks} /28 blocks when it is empty`,
    ...nowLines(answer),
    answer.verdict,
    ...reservationLines(answer),
  ];
  return {
    value: answer,
    explain: answer.explain,
    table: { columns, rows, footers },
    forms: { map: () => mapOf([answer]) },
  };
}

/** Several subnets as they are: a row each. */
export function fragmentationsView(
  subnets: readonly { readonly name: string; readonly answer: FragmentationAnswer }[],
): PlanAnswer {
  const columns = ["Subnet", "IPv4 CIDR", "Used", "Free", "Free /28", "By chance", "Reservation to make"];
  const rows = subnets.map(({ name, answer }) => [
    name,
    answer.cidr,
    String(answer.now?.used ?? "-"),
    String(answer.now?.free ?? "-"),
    String(answer.now?.freeBlocks ?? "-"),
    answer.now?.expectedBlocks.toFixed(1) ?? "-",
    answer.reservation?.cidrs.join(" ") ?? "-",
  ]);
  const told = subnets.some(({ answer }) => answer.now !== undefined);
  return {
    value: subnets.map(({ name, answer }) => ({ name, ...answer })),
    explain: subnets.flatMap(({ name, answer }) => answer.explain.map((line) => `${name}: ${line}`)),
    table: {
      columns,
      rows,
      footers: [
        ...(told ? [] : ["Without --enis nobody can tell which addresses are in use"]),
        ...subnets.map(({ name, answer }) => `${name}: ${answer.verdict}`),
      ],
    },
    forms: { map: () => mapOf(subnets.map(({ answer }) => answer)) },
  };
}

function nowLines({ now }: FragmentationAnswer): string[] {
  if (now === undefined) return [];
  const [first] = now.cheapest;
  return [
    `Now ${now.used} in use, ${now.free} free, ${now.freeBlocks} whole /28 blocks (chance alone would leave ${now.expectedBlocks.toFixed(1)})`,
    ...(first === undefined
      ? []
      : [`Cheapest to free: ${first.block}, in which ${first.addresses.join(", ")} would have to go`]),
  ];
}

function reservationLines({ reservation }: FragmentationAnswer): string[] {
  if (reservation === undefined) return [];
  const way = reservation.inTheWay.length;
  return [
    `Reserve: ${reservation.cidrs.map((cidr) => `aws ec2 create-subnet-cidr-reservation --reservation-type prefix --cidr ${cidr} --subnet-id SUBNET`).join("; ")}`,
    ...(way === 0
      ? []
      : [
          `In its way: ${reservation.inTheWay.slice(0, 8).join(", ")}${way > 8 ? ` and ${way - 8} more` : ""}`,
        ]),
  ];
}

const cellsPerLine = 64;

/** "." a free block, a digit (hexadecimal) the addresses in use in it, "#" a full one or a prefix. */
function mapOf(answers: readonly FragmentationAnswer[]): string {
  return answers
    .map((answer) => {
      const cells = answer.now?.cells;
      if (cells === undefined)
        return `${answer.cidr}: nothing was said of what is in use (--addresses, --enis)\n`;
      const signs = cells.map((used, index) => {
        const isEnd = index === 0 || index === cells.length - 1;
        if (used === 0) return isEnd ? "x" : ".";
        return used === 16 ? "#" : used.toString(16);
      });
      const lines: string[] = [];
      for (let at = 0; at < signs.length; at += cellsPerLine)
        lines.push(signs.slice(at, at + cellsPerLine).join(""));
      return `${answer.cidr}  ${answer.verdict}\n${lines.join("\n")}\n. free /28   1-f addresses in use   # full or a prefix   x first and last, never a prefix\n`;
    })
    .join("\n");
}
