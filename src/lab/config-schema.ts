/** The JSON schema of `lab.yaml`; `docs/lab-yaml.md` explains it by example. */
const stringMap = { type: "object", additionalProperties: { type: "string" } } as const;
const cidrText = { type: "string", pattern: "^[0-9a-fA-F.:]+/[0-9]{1,3}$" } as const;

export const labSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    region: { type: "string", pattern: "^[a-z]{2}(-[a-z]+)+-[0-9]$" },
    seed: { type: "integer", minimum: 0 },
    vpc: {
      type: "object",
      additionalProperties: false,
      properties: {
        cidrs: { type: "array", minItems: 1, maxItems: 5, items: cidrText },
        ipv6: { type: "boolean" },
        subnets: {
          type: "array",
          minItems: 1,
          items: {
            type: "object",
            additionalProperties: false,
            required: ["name", "zone", "cidr"],
            properties: {
              name: { type: "string", pattern: "^[a-z0-9][a-z0-9-]*$" },
              zone: { type: "string" },
              cidr: cidrText,
              publicAddresses: { type: "boolean" },
              routeTable: { type: "string" },
              tags: stringMap,
              reservations: {
                type: "array",
                items: {
                  type: "object",
                  additionalProperties: false,
                  required: ["cidr", "type"],
                  properties: { cidr: cidrText, type: { enum: ["prefix", "explicit"] } },
                },
              },
            },
          },
        },
        routeTables: {
          type: "array",
          items: {
            type: "object",
            additionalProperties: false,
            required: ["name", "routes"],
            properties: {
              name: { type: "string" },
              routes: {
                type: "array",
                items: {
                  type: "object",
                  additionalProperties: false,
                  required: ["destination", "target"],
                  properties: {
                    destination: cidrText,
                    target: {
                      type: "string",
                      pattern:
                        "^(internet-gateway|egress-only-internet-gateway|blackhole|nat-gateway:[a-z0-9-]+)$",
                    },
                  },
                },
              },
            },
          },
        },
      },
    },
    cluster: {
      type: "object",
      additionalProperties: false,
      properties: {
        name: { type: "string", pattern: "^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$" },
        version: { type: "string", pattern: "^1\\.[0-9]{2}$" },
        subnets: { type: "array", minItems: 2, items: { type: "string" } },
        ipFamily: { enum: ["ipv4", "ipv6"] },
        serviceCidr: cidrText,
      },
    },
    nodeGroups: {
      type: "array",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["name"],
        properties: {
          name: { type: "string", pattern: "^[0-9A-Za-z][A-Za-z0-9_-]{0,62}$" },
          instanceType: { type: "string" },
          count: { type: "integer", minimum: 0, maximum: 100 },
          subnets: { type: "array", minItems: 1, items: { type: "string" } },
          maxPods: { type: "integer", minimum: 1, maximum: 1000 },
          labels: stringMap,
          taints: {
            type: "array",
            items: {
              type: "object",
              additionalProperties: false,
              required: ["key", "effect"],
              properties: {
                key: { type: "string" },
                value: { type: "string" },
                effect: { enum: ["NoSchedule", "PreferNoSchedule", "NoExecute"] },
              },
            },
          },
        },
      },
    },
    awsNode: {
      type: "object",
      additionalProperties: false,
      properties: { env: stringMap, eniConfigs: stringMap },
    },
    ec2: {
      type: "object",
      additionalProperties: false,
      properties: {
        addressChoice: { enum: ["random", "lowest"] },
        latencies: { type: "object", additionalProperties: { type: "number", minimum: 0, maximum: 600000 } },
        imdsLag: { type: "number", minimum: 0, maximum: 600000 },
        throttling: {
          anyOf: [
            { enum: ["off", "aws"] },
            {
              type: "object",
              additionalProperties: {
                type: "object",
                additionalProperties: false,
                required: ["size", "refillPerSecond"],
                properties: {
                  size: { type: "number", exclusiveMinimum: 0 },
                  refillPerSecond: { type: "number", exclusiveMinimum: 0 },
                },
              },
            },
          ],
        },
      },
    },
  },
} as const;
