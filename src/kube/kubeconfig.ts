// Kubeconfig files: writing one for one cluster, and reading the current context of any.
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { EniverseError, messageOf } from "../base/error.ts";
import type { KubeClientConfig } from "./fetch-client.ts";

export interface KubeconfigEntry {
  readonly server: string;
  /** PEM. */
  readonly ca: string;
  readonly token: string;
  /** Also the name of the cluster. */
  readonly contextName: string;
  readonly userName: string;
  readonly namespace?: string;
}

/** A kubeconfig with one context, as YAML. */
export function formatKubeconfig(entry: KubeconfigEntry): string {
  const { contextName, userName } = entry;
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: contextName,
        cluster: {
          server: entry.server,
          "certificate-authority-data": Buffer.from(entry.ca).toString("base64"),
        },
      },
    ],
    users: [{ name: userName, user: { token: entry.token } }],
    contexts: [
      {
        name: contextName,
        context: {
          cluster: contextName,
          user: userName,
          ...(entry.namespace !== undefined && { namespace: entry.namespace }),
        },
      },
    ],
    "current-context": contextName,
  });
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * The client settings of the current context. Relative file names count from `folder`. Throws `invalid_argument`
 * for a file without a usable current context, `unsupported` for users that log in by a program.
 */
export function clientConfigOf(yaml: string, folder = "."): KubeClientConfig {
  const config = fieldsOf(readYaml(yaml));
  const contextName = config["current-context"];
  if (typeof contextName !== "string" || contextName === "") throw unusable("no current context");
  const context = entryOf(config, "contexts", contextName, "context");
  const cluster = entryOf(config, "clusters", context.cluster, "cluster");
  const user = context.user === undefined ? {} : entryOf(config, "users", context.user, "user");
  if (user.exec !== undefined || user["auth-provider"] !== undefined) {
    throw new EniverseError("unsupported", {
      attempted: "read the kubeconfig",
      found: `the user "${String(context.user)}" logs in through a program`,
      wanted: "a token or a client certificate",
    });
  }
  if (typeof cluster.server !== "string")
    throw unusable(`the cluster "${String(context.cluster)}" has no server`);
  const pem = (owner: Fields, name: string): string | undefined => readPem(owner, name, folder);
  const ca = pem(cluster, "certificate-authority");
  const cert = pem(user, "client-certificate");
  const key = pem(user, "client-key");
  const token = tokenOf(user, folder);
  const serverName = cluster["tls-server-name"];
  return {
    server: cluster.server.replace(/\/$/, ""),
    ...(ca !== undefined && { ca }),
    ...(token !== undefined && { token }),
    ...(cert !== undefined && key !== undefined && { clientCertificate: { cert, key } }),
    ...(typeof serverName === "string" && { tlsServerName: serverName }),
  };
}

function readYaml(text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw unusable(messageOf(error));
  }
}

function tokenOf(user: Fields, folder: string): string | undefined {
  if (typeof user.token === "string") return user.token;
  return typeof user.tokenFile === "string"
    ? readFileSync(resolve(folder, user.tokenFile), "utf8").trim()
    : undefined;
}

/** The field itself names a file, `NAME-data` carries the content in base64. */
function readPem(owner: Fields, name: string, folder: string): string | undefined {
  const data = owner[`${name}-data`];
  if (typeof data === "string") return Buffer.from(data, "base64").toString();
  const file = owner[name];
  return typeof file === "string" ? readFileSync(resolve(folder, file), "utf8") : undefined;
}

function entryOf(config: Fields, list: string, name: unknown, member: string): Fields {
  const entries = Array.isArray(config[list]) ? (config[list] as unknown[]).map(fieldsOf) : [];
  const found = entries.find((entry) => entry.name === name);
  if (found === undefined) throw unusable(`no entry "${String(name)}" under ${list}`);
  return fieldsOf(found[member]);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function unusable(found: string): EniverseError {
  return new EniverseError("invalid_argument", {
    attempted: "read the kubeconfig",
    found,
    wanted: "a current context with a cluster",
  });
}

/** As {@link clientConfigOf}, from a file; its relative names count from its own folder. */
export function readKubeconfig(file: string): KubeClientConfig {
  return clientConfigOf(readFileSync(file, "utf8"), dirname(resolve(file)));
}
