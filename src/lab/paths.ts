import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { EniverseError } from "../base/error.ts";

/** Where a lab keeps its things. Everything of a lab is below these two folders; `down` removes both. */
export interface LabPaths {
  readonly name: string;
  /** Survives the lab process: databases, certificates, logs. */
  readonly state: string;
  /** Sockets and the nodes' writable layers. */
  readonly run: string;
  readonly database: string;
  readonly tls: string;
  readonly kubeconfig: string;
  readonly log: string;
  /** The lab's effective configuration, as JSON. */
  readonly config: string;
  /** Identity of the lab process. */
  readonly process: string;
  /** The control socket of the lab process. */
  readonly socket: string;
  /** Beside the folders, as it is held while they come and go; see launch-lock.ts. */
  readonly lock: string;
}

const stateRoot = process.env.ENIVERSE_STATE_DIR ?? "/var/lib/eniverse";
const runRoot = process.env.ENIVERSE_RUN_DIR ?? "/run/eniverse";

/** Throws `invalid_argument` for names that cannot be a folder and a cluster name at once. */
export function labPaths(name: string): LabPaths {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
    throw new EniverseError("invalid_argument", {
      attempted: "use the lab name",
      found: JSON.stringify(name),
      wanted: "1 to 32 lower-case letters, digits and hyphens",
    });
  }
  const state = join(stateRoot, name);
  const run = join(runRoot, name);
  return {
    name,
    state,
    run,
    database: join(state, "lab.sqlite"),
    tls: join(state, "tls"),
    kubeconfig: join(state, "kubeconfig"),
    log: join(state, "lab.log"),
    config: join(state, "config.json"),
    process: join(state, "process.json"),
    socket: join(run, "lab.sock"),
    lock: `${run}.lock`,
  };
}

/** Labs belong to root, as the namespaces that they are made of; throws `permission_denied` for everybody else. */
export function requireRoot(): void {
  const user = process.getuid?.();
  if (user === undefined || user === 0) return;
  throw new EniverseError("permission_denied", {
    attempted: "work with labs",
    found: `user ${user}`,
    wanted: "root: labs are made of network namespaces",
    fix: "Type the command again behind sudo",
  });
}

/** Names of the labs that have a state folder, running or not. */
export function labNames(): string[] {
  if (!existsSync(stateRoot)) return [];
  requireRoot();
  return readdirSync(stateRoot, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}
