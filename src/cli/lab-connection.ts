import { existsSync, readFileSync } from "node:fs";
import type { EC2Client } from "@aws-sdk/client-ec2";
import type { EKSClient } from "@aws-sdk/client-eks";
import { EniverseError } from "../base/error.ts";
import type { KubeClient } from "../kube/client.ts";
import { createKubeClient } from "../kube/fetch-client.ts";
import { clientConfigOf } from "../kube/kubeconfig.ts";
import { type LabEndpoints, type LabStatus, labStatus } from "../lab/control.ts";
import { type LabPaths, labNames, labPaths } from "../lab/paths.ts";

/** A lab that is up, and clients for it: the same ones that a user would point at it. */
export interface LabConnection {
  readonly paths: LabPaths;
  readonly status: LabStatus;
  readonly endpoints: LabEndpoints;
  readonly kube: KubeClient;
  ec2(): Promise<EC2Client>;
  eks(): Promise<EKSClient>;
}

/** Throws `not_found` when there is no lab of that name, `unavailable` when it is not up. */
export async function connectToLab(name: string): Promise<LabConnection> {
  const paths = labPaths(name);
  if (!existsSync(paths.state)) throw noLab(name);
  const status = await labStatus(paths);
  if (status.endpoints === undefined) {
    throw new EniverseError("unavailable", {
      attempted: `use the lab ${name}`,
      found: status.error === undefined ? `it is ${status.phase}` : `it did not come up: ${status.error}`,
      fix: `See "eniverse status --name ${name}"`,
    });
  }
  const { endpoints } = status;
  const aws = {
    endpoint: endpoints.aws,
    region: endpoints.region,
    credentials: { accessKeyId: endpoints.accessKeyId, secretAccessKey: endpoints.secretAccessKey },
  };
  return {
    paths,
    status,
    endpoints,
    kube: createKubeClient(clientConfigOf(readFileSync(paths.kubeconfig, "utf8"))),
    // Loading the SDK takes longer than most commands; only those that need it pay for it.
    ec2: async () => new (await import("@aws-sdk/client-ec2")).EC2Client(aws),
    eks: async () => new (await import("@aws-sdk/client-eks")).EKSClient(aws),
  };
}

export function noLab(name: string): EniverseError {
  const names = labNames();
  return new EniverseError("not_found", {
    attempted: `use the lab ${name}`,
    found:
      names.length === 0 ? "there is no lab" : `there is none of that name; there are: ${names.join(", ")}`,
    fix: `Bring it up with: eniverse up --name ${name} --detach`,
  });
}
