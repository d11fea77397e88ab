import type { CloudConfig, RoleConfig } from "../config.ts";
import { Ec2Fault } from "../model/fault.ts";
import type { CloudState } from "../model/state.ts";

/** Who makes a request, and in which role. */
export interface Identity {
  readonly accountId: string;
  readonly arn: string;
  readonly userId: string;
  readonly role: RoleConfig;
  /** The service that the signature is scoped to: "ec2", "eks", "sts". */
  readonly service: string;
}

/** The credential scope of a signed request (AWS Signature Version 4). */
export interface CredentialScope {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly sessionToken: string | undefined;
}

/** Reads the scope from the Authorization header or a presigned URL; undefined for an unsigned request. */
export function credentialScope(request: Request): CredentialScope | undefined {
  const header = request.headers.get("authorization");
  const query = new URL(request.url).searchParams;
  const credential =
    header === null ? query.get("X-Amz-Credential") : /Credential=([^,\s]+)/.exec(header)?.[1];
  const parts = credential?.split("/");
  if (parts?.length !== 5 || parts[4] !== "aws4_request") return undefined;
  const [accessKeyId = "", date = "", region = "", service = ""] = parts;
  const sessionToken =
    request.headers.get("x-amz-security-token") ?? query.get("X-Amz-Security-Token") ?? undefined;
  return { accessKeyId, date, region, service, sessionToken };
}

/** Each service has its own codes for the same refusals. */
const refusals = {
  ec2: {
    missing: ["MissingAuthenticationToken", 403],
    unknown: ["AuthFailure", 401],
    expired: ["RequestExpired", 400],
  },
  sts: {
    missing: ["MissingAuthenticationToken", 403],
    unknown: ["InvalidClientTokenId", 403],
    expired: ["ExpiredToken", 403],
  },
  eks: {
    missing: ["MissingAuthenticationTokenException", 403],
    unknown: ["UnrecognizedClientException", 403],
    expired: ["ExpiredTokenException", 403],
  },
} as const;

export type ServiceName = keyof typeof refusals;

/**
 * Maps the access key to its role. Signatures are not checked: whoever can reach the endpoint may use any key that
 * the cloud knows. Throws the service's fault for unsigned requests, unknown keys and expired sessions.
 */
export function identify(
  request: Request,
  service: ServiceName,
  config: CloudConfig,
  state: CloudState,
  now: number,
): Identity {
  const codes = refusals[service];
  const scope = credentialScope(request);
  if (scope === undefined) {
    const [code, status] = codes.missing;
    throw new Ec2Fault(code, "Request is missing Authentication Token", status);
  }
  const [unknownCode, unknownStatus] = codes.unknown;
  const unknown = new Ec2Fault(
    unknownCode,
    service === "ec2"
      ? "AWS was not able to validate the provided access credentials"
      : "The security token included in the request is invalid.",
    unknownStatus,
  );
  if (scope.region !== config.region) {
    throw new Ec2Fault(
      unknownCode,
      `Credential should be scoped to a valid region, not '${scope.region}': this cloud is ${config.region}.`,
      unknownStatus,
    );
  }
  const { accountId } = config;
  const key = config.credentials.find((one) => one.accessKeyId === scope.accessKeyId);
  if (key !== undefined) {
    return {
      accountId,
      arn: `arn:aws:iam::${accountId}:user/${key.role}`,
      userId: key.accessKeyId.replace(/^AKIA/, "AIDA"),
      role: roleOf(config, key.role),
      service: scope.service,
    };
  }
  const session = state.sessions.get(scope.accessKeyId);
  if (session === undefined || session.token !== scope.sessionToken) throw unknown;
  if (session.expiresAt <= now) {
    const [code, status] = codes.expired;
    throw new Ec2Fault(code, "The security token included in the request is expired", status);
  }
  return {
    accountId,
    arn: `arn:aws:sts::${accountId}:assumed-role/${session.role}/${session.instanceId}`,
    userId: `AROA${session.accessKeyId.slice(4)}:${session.instanceId}`,
    role: roleOf(config, session.role),
    service: scope.service,
  };
}

/** A role that the configuration does not have allows nothing. */
function roleOf(config: CloudConfig, name: string): RoleConfig {
  return config.roles.find((role) => role.name === name) ?? { name, actions: [] };
}

/** True when the role may call "service:Action". */
export function isAllowed(role: RoleConfig, action: string): boolean {
  const hit = (patterns: readonly string[] | undefined): boolean =>
    patterns?.some((pattern) => matchesAction(pattern, action)) ?? false;
  return hit(role.actions) && !hit(role.deny);
}

function matchesAction(pattern: string, action: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "i").test(action);
}
