import { architectureOf } from "../ec2/actions/instance-types.ts";
import type { Instance } from "../model/instance.ts";
import { identityDocument, isPending, type Metadata, metadataDirectory } from "./metadata.ts";
import { isTokenValid, maxTokenSeconds, newToken } from "./token.ts";
import { type MetadataDirectory, readTree } from "./tree.ts";

/** One request, as its instance's metadata service gets it. */
export interface ImdsCall {
  readonly instance: Instance;
  /** False for a request that came over IPv4. */
  readonly overIpv6: boolean;
  readonly secret: string;
  readonly now: number;
  /** The tree's content, asked for only when a read is allowed. */
  readonly metadata: () => Metadata;
  /** Sets the IP TTL of the answers on this connection. */
  readonly setTtl: ((ttl: number) => void) | undefined;
}

/** Versions of the tree that GET / lists; the content is the same in all of them. */
const versions = [
  "1.0",
  "2007-01-19",
  "2009-04-04",
  "2012-01-12",
  "2016-09-02",
  "2018-09-24",
  "2021-07-15",
  "latest",
];

const tokenPath = "api/token";
const ttlHeader = "x-aws-ec2-metadata-token-ttl-seconds";
const tokenHeader = "x-aws-ec2-metadata-token";

/** Answers one request of the instance metadata service, version 2 (and 1 where the instance's options allow it). */
export function answerImds(request: Request, call: ImdsCall): Response {
  const options = call.instance.metadataOptions;
  if (options.httpEndpoint === "disabled") return refuse(403, "Forbidden");
  if (call.overIpv6 && options.httpProtocolIpv6 === "disabled") return refuse(403, "Forbidden");
  const { pathname } = new URL(request.url);
  const [version = "", ...rest] = pathname.slice(1).split("/");
  const path = rest.join("/");
  if (path === tokenPath || path === `${tokenPath}/`) return answerToken(request, call, version);
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "Method Not Allowed");
  const token = request.headers.get(tokenHeader);
  const good = token !== null && isTokenValid(call.secret, call.instance.instanceId, token, call.now);
  if (token === null ? options.httpTokens === "required" : !good) return refuse(401, "Unauthorized");
  if (pathname === "/") return plain(versions.join("\n"));
  if (!versions.includes(version)) return refuse(404, "Not Found");
  const found = readTree(rootDirectory(call), rest);
  return found === undefined || isPending(found) ? refuse(404, "Not Found") : plain(found);
}

function rootDirectory(call: ImdsCall): MetadataDirectory {
  const { instance } = call;
  return {
    dynamic: {
      "instance-identity": {
        document: () => identityDocument(call.metadata(), architectureOf(instance.instanceType)),
      },
    },
    "meta-data": () => metadataDirectory(call.metadata()),
    "user-data": instance.userData,
  };
}

/** A token request: its answer is the one whose IP TTL is the instance's hop limit. */
function answerToken(request: Request, call: ImdsCall, version: string): Response {
  if (request.method !== "PUT") return refuse(405, "Method Not Allowed");
  call.setTtl?.(call.instance.metadataOptions.httpPutResponseHopLimit);
  // A forwarded request comes from a proxy that may not know what it forwards.
  if (request.headers.has("x-forwarded-for") || version !== "latest") return refuse(403, "Forbidden");
  const seconds = request.headers.get(ttlHeader);
  if (seconds === null || !/^\d{1,5}$/.test(seconds) || !inBounds(Number(seconds)))
    return refuse(400, "Bad Request");
  const token = newToken(call.secret, call.instance.instanceId, call.now + Number(seconds) * 1000);
  return plain(token, { [ttlHeader]: seconds });
}

function inBounds(seconds: number): boolean {
  return seconds >= 1 && seconds <= maxTokenSeconds;
}

function plain(text: string, headers: Record<string, string> = {}): Response {
  return new Response(text, { headers: { "content-type": "text/plain", server: "EC2ws", ...headers } });
}

/** An error page as the metadata service writes it. */
export function refuse(status: number, title: string): Response {
  const page = `<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>${status} - ${title}</title>
 </head>
 <body>
  <h1>${status} - ${title}</h1>
 </body>
</html>
`;
  return new Response(page, { status, headers: { "content-type": "text/html", server: "EC2ws" } });
}
