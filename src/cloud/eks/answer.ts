import { Buffer } from "node:buffer";
import { Ec2Fault } from "../model/fault.ts";
import type { Tags } from "../model/tags.ts";

/** A JSON answer of EKS. */
export function json(
  status: number,
  body: object,
  requestId: string,
  headers: Record<string, string> = {},
): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "x-amzn-requestid": requestId, ...headers },
  });
}

/** An error as REST-JSON carries it: the type in a header, the message in the body. */
export function errorJson(fault: Ec2Fault, requestId: string): Response {
  return json(fault.httpStatus, { message: fault.message }, requestId, { "x-amzn-errortype": fault.code });
}

/** EKS writes times as seconds since the epoch. */
export function seconds(ms: number): number {
  return ms / 1000;
}

export function tagObject(tags: Tags): Record<string, string> {
  return Object.fromEntries(tags);
}

/** The page of names that maxResults (1…100, all a hundred when absent) and nextToken ask for. */
export function pageOfNames(
  query: URLSearchParams,
  names: readonly string[],
): { readonly page: readonly string[]; readonly nextToken: string | null } {
  const sorted = names.toSorted();
  const maxResults = Number(query.get("maxResults") ?? 100);
  if (!(Number.isInteger(maxResults) && maxResults >= 1 && maxResults <= 100)) {
    throw new Ec2Fault("InvalidParameterException", "maxResults must be between 1 and 100");
  }
  const token = query.get("nextToken");
  const after = token === null ? "" : Buffer.from(token, "base64url").toString();
  const rest = sorted.filter((name) => name > after);
  const page = rest.slice(0, maxResults);
  const last = page.at(-1);
  return {
    page,
    nextToken:
      rest.length > page.length && last !== undefined ? Buffer.from(last).toString("base64url") : null,
  };
}
