import { EniverseError, type ErrorCode, messageOf } from "../base/error.ts";

/** EC2 codes that mean "this subnet has no room": growing stops for a while after them. */
export const insufficientCodes: readonly string[] = [
  "InsufficientCidrBlocks",
  "InsufficientFreeAddressesInSubnet",
];

/** EC2's codes by ours; sources: the EC2 API error list and the messages seen in the wild. */
const exact: Readonly<Record<string, ErrorCode>> = {
  UnauthorizedOperation: "permission_denied",
  AuthFailure: "permission_denied",
  Blocked: "permission_denied",
  OptInRequired: "permission_denied",
  PendingVerification: "permission_denied",
  SignatureDoesNotMatch: "permission_denied",
  InvalidClientTokenId: "permission_denied",
  RequestExpired: "permission_denied",
  ExpiredToken: "permission_denied",
  RequestLimitExceeded: "throttled",
  Throttling: "throttled",
  ThrottlingException: "throttled",
  InsufficientFreeAddressesInSubnet: "exhausted",
  InsufficientCidrBlocks: "exhausted",
  PrivateIpAddressLimitExceeded: "exhausted",
  AttachmentLimitExceeded: "exhausted",
  NetworkInterfaceLimitExceeded: "exhausted",
  SecurityGroupsPerInterfaceLimitExceeded: "exhausted",
  TagLimitExceeded: "exhausted",
  "InvalidNetworkInterface.InUse": "conflict",
  "InvalidParameterValue.InUse": "conflict",
  "InvalidIPAddress.InUse": "conflict",
  "Resource.AlreadyAssigned": "conflict",
  DependencyViolation: "conflict",
  IncorrectState: "conflict",
  IncorrectInstanceState: "conflict",
  OperationNotPermitted: "conflict",
  ConcurrentTagAccess: "conflict",
  IdempotentParameterMismatch: "conflict",
  InternalError: "unavailable",
  InternalFailure: "unavailable",
  ServiceUnavailable: "unavailable",
  Unavailable: "unavailable",
  UnsupportedOperation: "unsupported",
  Unsupported: "unsupported",
};

/** Our code for EC2's own; messages matter only where EC2 overloads a code. */
export function codeOfEc2(ec2Code: string, ec2Message: string): ErrorCode {
  const known = exact[ec2Code];
  if (known !== undefined) return known;
  // "There aren't sufficient free Ipv4 addresses or prefixes": asked for more than the subnet has in total.
  if (ec2Code === "InvalidParameterValue" && /sufficient free/i.test(ec2Message)) return "exhausted";
  if (ec2Code === "InvalidParameterValue" && /currently in use/i.test(ec2Message)) return "conflict";
  if (ec2Code.endsWith(".NotFound")) return "not_found";
  if (ec2Code.endsWith(".Malformed") || /^(Invalid|Missing|Unknown)/.test(ec2Code)) return "invalid_argument";
  return "internal";
}

const fixes: Readonly<Partial<Record<ErrorCode, string>>> = {
  permission_denied: "Give the node's role the policy AmazonEKS_CNI_Policy or its equal",
  throttled: "Fewer calls or a higher request rate quota are needed",
};

interface SdkError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly Code?: unknown;
  readonly $fault?: unknown;
  readonly $metadata?: {
    readonly requestId?: string;
    readonly httpStatusCode?: number;
    readonly attempts?: number;
  };
}

/**
 * What the SDK threw as an {@link EniverseError}. `parts.facts` has `ec2Action`, and when EC2 itself answered
 * `ec2Code`, `ec2Message`, `requestId`, `httpStatus`; without an answer (refused connection, no credentials)
 * the code is `unavailable` or `timeout` and there is no `ec2Code`.
 */
export function ec2Error(action: string, thrown: unknown): EniverseError {
  if (thrown instanceof EniverseError) return thrown;
  const error = (typeof thrown === "object" && thrown !== null ? thrown : {}) as SdkError;
  const message = messageOf(thrown);
  const attempted = `call EC2 ${action}`;
  const answered = error.$metadata?.httpStatusCode !== undefined;
  if (answered && typeof error.name === "string") {
    const ec2Code = typeof error.Code === "string" ? error.Code : error.name;
    const code = codeOfEc2(ec2Code, message);
    const fix = fixes[code];
    return new EniverseError(code, {
      attempted,
      found: `${ec2Code}: ${message}`,
      ...(fix === undefined ? {} : { fix }),
      cause: thrown,
      facts: {
        ec2Action: action,
        ec2Code,
        ec2Message: message,
        requestId: error.$metadata?.requestId ?? "",
        httpStatus: error.$metadata?.httpStatusCode ?? 0,
      },
    });
  }
  return new EniverseError(codeWithoutAnswer(error), {
    attempted,
    found: message === "" ? String(error.name ?? "no answer") : message,
    fix: "Check the endpoint (AWS_ENDPOINT_URL_EC2, AWS_ENDPOINT_URL), the route to it and the credentials",
    cause: thrown,
    facts: { ec2Action: action },
  });
}

/** Credentials that cannot be had count as unavailable too: the metadata service may only be late with them. */
function codeWithoutAnswer(error: SdkError): ErrorCode {
  return error.name === "TimeoutError" || error.code === "ETIMEDOUT" ? "timeout" : "unavailable";
}

/** EC2's own code of an error, undefined when EC2 did not answer or the error is another. */
export function ec2CodeOf(error: unknown): string | undefined {
  const code = error instanceof EniverseError ? error.parts.facts?.ec2Code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** The interface id that EC2's "The networkInterface ID 'eni-…' does not exist" names; empty without quotes. */
export function badEniId(ec2Message: string): string {
  return /'([a-zA-Z0-9-]+)'/.exec(ec2Message)?.[1] ?? "";
}
