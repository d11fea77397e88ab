/** The JSON schema of a scenario file; `docs/simulate.md` explains it by example. */
const stringMap = { type: "object", additionalProperties: { type: "string" } } as const;
const cidr = { type: "string", pattern: "^[0-9.]+/[0-9]{1,2}$" } as const;
const name = { type: "string", pattern: "^[0-9A-Za-z][A-Za-z0-9_-]{0,62}$" } as const;
const zone = { type: "string", pattern: "^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$" } as const;
const count = { type: "integer", minimum: 0, maximum: 1_000_000 } as const;
const percent = { type: "number", minimum: 0, maximum: 100 } as const;
const share = { type: "number", minimum: 0, maximum: 1 } as const;
/** "90s", "1m30s", "1h", "250ms". */
const span = { type: "string", pattern: "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$" } as const;
const milliseconds = { type: "number", minimum: 0, maximum: 600_000 } as const;

const form = <P extends object>(properties: P, required: readonly string[] = []) =>
  ({ type: "object", additionalProperties: false, required, properties }) as const;

const list = <I extends object>(items: I) => ({ type: "array", items }) as const;

const workload = { name, nodeGroup: name };

export const scenarioSchema = form({
  name,
  description: { type: "string" },
  seed: { type: "integer", minimum: 0, maximum: 2 ** 32 - 10 },
  duration: span,
  sample: span,
  driver: { enum: ["eniverse", "official"] },
  vpc: form({
    cidrs: { type: "array", minItems: 1, maxItems: 50, items: cidr },
    subnets: {
      type: "array",
      minItems: 1,
      items: form(
        {
          name,
          zone,
          cidr,
          tags: stringMap,
          used: percent,
          reservations: list(form({ cidr, type: { enum: ["prefix", "explicit"] } }, ["cidr", "type"])),
        },
        ["name", "zone", "cidr"],
      ),
    },
  }),
  nodeGroups: {
    type: "array",
    minItems: 1,
    items: form(
      {
        name,
        instanceType: { type: "string" },
        count: { type: "integer", minimum: 0, maximum: 100_000 },
        min: count,
        max: count,
        startAt: span,
        subnets: { type: "array", minItems: 1, items: { type: "string" } },
        maxPods: { type: "integer", minimum: 3, maximum: 1000 },
        daemonPods: { type: "integer", minimum: 0, maximum: 100 },
        boot: span,
        scaleDownAfter: span,
        env: stringMap,
      },
      ["name"],
    ),
  },
  awsNode: form({ env: stringMap, eniConfigs: stringMap }),
  scheduler: form({ podsPerSecond: { type: "number", exclusiveMinimum: 0, maximum: 1_000_000 } }),
  workloads: form({
    bursts: list(form({ ...workload, at: span, over: span, pods: count, lifetime: span }, ["name", "pods"])),
    deployments: list(
      form(
        {
          ...workload,
          at: span,
          replicas: count,
          scale: list(form({ at: span, replicas: count }, ["at", "replicas"])),
          rollouts: list(span),
          maxSurge: share,
          maxUnavailable: share,
        },
        ["name", "replicas"],
      ),
    ),
    jobs: list(
      form({ ...workload, every: span, pods: count, duration: span, from: span, until: span }, [
        "name",
        "every",
        "pods",
        "duration",
      ]),
    ),
    traces: list(form({ ...workload, csv: { type: "string" } }, ["name", "csv"])),
  }),
  ec2: form({
    addressChoice: { enum: ["random", "lowest"] },
    latencies: { type: "object", additionalProperties: milliseconds },
    imdsLag: milliseconds,
    throttling: {
      anyOf: [
        { enum: ["off", "aws"] },
        {
          type: "object",
          additionalProperties: form(
            {
              size: { type: "number", exclusiveMinimum: 0 },
              refillPerSecond: { type: "number", exclusiveMinimum: 0 },
            },
            ["size", "refillPerSecond"],
          ),
        },
      ],
    },
    limits: form({ networkInterfaces: count, cidrsPerVpc: count }),
  }),
  faults: form({
    calls: list(
      form(
        {
          action: { type: "string" },
          at: span,
          until: span,
          rate: share,
          error: { type: "string" },
          delay: span,
        },
        ["action", "at"],
      ),
    ),
    fills: list(form({ subnet: name, at: span, used: percent }, ["subnet", "at", "used"])),
    interruptions: list(form({ nodeGroup: name, at: span, nodes: count }, ["nodeGroup", "at", "nodes"])),
  }),
});
