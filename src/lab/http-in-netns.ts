import { EniverseError } from "../base/error.ts";
import { inNetns, Netns } from "../linux/netns.ts";

/** Longest wait for a whole answer. */
const answerMs = 3000;

/** What is asked over HTTP inside a namespace. */
export interface RequestIn {
  readonly method?: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AnswerIn {
  readonly status: number;
  readonly body: string;
}

/** As {@link httpIn}, for what must be there: the body of a 200; throws `unavailable` for anything else. */
export async function httpGetIn(
  netnsPath: string,
  host: string,
  port: number,
  path: string,
): Promise<string> {
  const { status, body } = await httpIn(netnsPath, { host, port, path });
  if (status === 200) return body;
  throw new EniverseError("unavailable", {
    attempted: `read http://${host}:${port}${path} inside ${netnsPath}`,
    found: `status ${status}: ${JSON.stringify(body.slice(0, 80))}`,
  });
}

/**
 * One request over HTTP/1.0 from inside a network namespace, for services that only the node can reach (`fetch` always
 * connects from the namespace of its own thread). Throws `unavailable` when no whole answer comes.
 */
export async function httpIn(netnsPath: string, request: RequestIn): Promise<AnswerIn> {
  const { method = "GET", host, port, path, headers = {} } = request;
  const attempted = `${method} http://${host}:${port}${path} inside ${netnsPath}`;
  const answer = Promise.withResolvers<string>();
  const fail = (found: string): void => answer.reject(new EniverseError("unavailable", { attempted, found }));
  const timer = setTimeout(() => fail(`no answer in ${answerMs} ms`), answerMs);
  const decoder = new TextDecoder();
  let text = "";
  const lines = Object.entries({ Host: host, "Content-Length": "0", ...headers });
  try {
    using ns = Netns.open(netnsPath);
    const socket = inNetns(ns, () =>
      Bun.connect({
        hostname: host,
        port,
        socket: {
          open: (opened) => {
            const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
            opened.write(`${method} ${path} HTTP/1.0\r\n${head}\r\n`);
          },
          data: (_socket, chunk) => {
            text += decoder.decode(chunk, { stream: true });
          },
          close: () => answer.resolve(text),
          error: (_socket, error) => fail(error.message),
          connectError: (_socket, error) => fail(error.message),
        },
      }),
    );
    socket.catch((error: unknown) => fail(String(error)));
    return parseAnswer(await answer.promise, attempted);
  } finally {
    clearTimeout(timer);
  }
}

function parseAnswer(answer: string, attempted: string): AnswerIn {
  const end = answer.indexOf("\r\n\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1];
  if (end < 0 || status === undefined) {
    throw new EniverseError("unavailable", {
      attempted,
      found: `the answer ${JSON.stringify(answer.slice(0, 80))}`,
    });
  }
  const body = answer.slice(end + 4);
  const isChunked = /^transfer-encoding: chunked/im.test(answer.slice(0, end));
  return { status: Number(status), body: isChunked ? unchunk(body) : body };
}

/** Some servers answer in chunks even to HTTP/1.0. */
function unchunk(body: string): string {
  let rest = body;
  let whole = "";
  for (;;) {
    const line = rest.indexOf("\r\n");
    const size = Number.parseInt(rest.slice(0, line), 16);
    if (line < 0 || !(size > 0)) return whole;
    whole += rest.slice(line + 2, line + 2 + size);
    rest = rest.slice(line + 2 + size + 2);
  }
}
