import http from "node:http";
import { type Clock, realClock } from "../base/clock.ts";
import { EniverseError, hasCode, messageOf } from "../base/error.ts";

/** The instance metadata service, version 2. */
export interface Imds {
  /** The text at `path` below `/latest/` ("meta-data/mac"); throws `not_found` for a 404. */
  get(path: string): Promise<string>;
  /** As {@link Imds.get}; undefined for a 404. */
  find(path: string): Promise<string | undefined>;
}

export interface ImdsOptions {
  /** Default AWS_EC2_METADATA_SERVICE_ENDPOINT, else http://169.254.169.254. */
  readonly endpoint?: string;
  /** Tries per request before giving up; answers of 404 and 403 are final. Default 3. */
  readonly attempts?: number;
  /** Per try. Default 2000. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

const tokenTtlSeconds = 21_600;
/** A token is renewed this long before its end, so that none ends in flight. */
const renewEarlyMs = 60_000;
const firstRetryDelayMs = 50;

/** An IMDSv2 client: one token for all requests, renewed before its time and after a 401. */
export function createImds(options: ImdsOptions = {}): Imds {
  const clock = options.clock ?? realClock;
  const endpoint = new URL(
    options.endpoint ?? (process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT || "http://169.254.169.254"),
  );
  const attempts = options.attempts ?? 3;
  const timeoutMs = options.timeoutMs ?? 2000;
  const newAgent = (): http.Agent => new http.Agent({ keepAlive: true, maxSockets: 8 });
  let agent = newAgent();
  let token: Promise<{ readonly text: string; readonly renewAt: number }> | undefined;

  const request = (method: string, path: string, headers: Record<string, string>): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const outgoing = http.request(
        {
          host: endpoint.hostname.replace(/^\[|\]$/g, ""),
          port: endpoint.port === "" ? 80 : Number(endpoint.port),
          path: `/latest/${path}`,
          method,
          headers,
          agent,
          timeout: timeoutMs,
        },
        (incoming) => {
          let body = "";
          incoming.setEncoding("utf8");
          incoming.on("data", (chunk: string) => {
            body += chunk;
          });
          incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, body }));
          incoming.on("error", reject);
        },
      );
      let isTimedOut = false;
      outgoing.on("timeout", () => {
        isTimedOut = true;
        reject(
          new EniverseError("timeout", {
            attempted: `read ${endpoint.origin}/latest/${path}`,
            found: `no answer within ${timeoutMs} ms`,
          }),
        );
        outgoing.destroy();
      });
      outgoing.on("error", (error) => {
        if (!outgoing.reusedSocket || isTimedOut) return reject(error);
        // A connection that was kept broke meanwhile (new translation rules on the node do that), and so did the
        // others: all are given up, and the request is sent again.
        agent = newAgent();
        resolve(request(method, path, headers));
      });
      outgoing.end();
    });

  const freshToken = async (): Promise<{ text: string; renewAt: number }> => {
    const askedAt = clock.now();
    const answer = await request("PUT", "api/token", {
      "X-aws-ec2-metadata-token-ttl-seconds": String(tokenTtlSeconds),
    });
    if (answer.status !== 200) throw refused("api/token", answer);
    return { text: answer.body, renewAt: askedAt + tokenTtlSeconds * 1000 - renewEarlyMs };
  };

  const currentToken = async (): Promise<string> => {
    const held = token ?? freshToken();
    token = held;
    try {
      const { text, renewAt } = await held;
      if (clock.now() < renewAt) return text;
    } catch (thrown) {
      if (token === held) token = undefined;
      throw thrown;
    }
    if (token === held) token = undefined;
    return currentToken();
  };

  const attempt = async (path: string): Promise<string> => {
    const headers = { "X-aws-ec2-metadata-token": await currentToken() };
    const answer = await request("GET", path, headers);
    if (answer.status === 200) return answer.body;
    if (answer.status === 401) token = undefined;
    throw refused(path, answer);
  };

  const get = async (path: string): Promise<string> => {
    for (let tried = 1, delayMs = firstRetryDelayMs; ; tried++, delayMs *= 2) {
      try {
        return await attempt(path);
      } catch (thrown) {
        const error = imdsError(endpoint.origin, path, thrown);
        if (tried >= attempts || hasCode(error, "not_found", "permission_denied")) throw error;
        await clock.sleep(delayMs);
      }
    }
  };

  return {
    get,
    find: async (path) => {
      try {
        return await get(path);
      } catch (thrown) {
        if (hasCode(thrown, "not_found")) return undefined;
        throw thrown;
      }
    },
  };
}

function refused(path: string, answer: Answer): EniverseError {
  const code =
    answer.status === 404 ? "not_found" : answer.status === 403 ? "permission_denied" : "unavailable";
  return new EniverseError(code, {
    attempted: `read instance metadata /latest/${path}`,
    found: `status ${answer.status}`,
    ...(answer.status === 403 ? { fix: "Enable the metadata service of the instance" } : {}),
    facts: { imdsPath: path, status: answer.status },
  });
}

function imdsError(origin: string, path: string, thrown: unknown): EniverseError {
  if (thrown instanceof EniverseError) return thrown;
  return new EniverseError("unavailable", {
    attempted: `read instance metadata /latest/${path} at ${origin}`,
    found: messageOf(thrown),
    fix: "Check the route to the metadata service and AWS_EC2_METADATA_SERVICE_ENDPOINT",
    cause: thrown,
    facts: { imdsPath: path },
  });
}
