import { EniverseError } from "../base/error.ts";
import { inNetns, Netns } from "../linux/netns.ts";

/** Longest wait for a whole answer. */
const answerMs = 3000;

/**
 * GET over HTTP/1.0 from inside a network namespace, for services that listen on a node's loopback (`fetch` always
 * connects from the namespace of its own thread). Answers the body of a 200; throws `unavailable` otherwise.
 */
export async function httpGetIn(
  netnsPath: string,
  host: string,
  port: number,
  path: string,
): Promise<string> {
  const attempted = `read http://${host}:${port}${path} inside ${netnsPath}`;
  const answer = Promise.withResolvers<string>();
  const fail = (found: string): void => answer.reject(new EniverseError("unavailable", { attempted, found }));
  const timer = setTimeout(() => fail(`no answer in ${answerMs} ms`), answerMs);
  const decoder = new TextDecoder();
  let text = "";
  try {
    using ns = Netns.open(netnsPath);
    const socket = inNetns(ns, () =>
      Bun.connect({
        hostname: host,
        port,
        socket: {
          open: (opened) => {
            opened.write(`GET ${path} HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
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
    return bodyOf(await answer.promise, attempted);
  } finally {
    clearTimeout(timer);
  }
}

function bodyOf(answer: string, attempted: string): string {
  const end = answer.indexOf("\r\n\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1];
  if (end < 0 || status !== "200") {
    throw new EniverseError("unavailable", {
      attempted,
      found: `the answer ${JSON.stringify(answer.slice(0, 80))}`,
    });
  }
  const body = answer.slice(end + 4);
  return /^transfer-encoding: chunked/im.test(answer.slice(0, end)) ? unchunk(body) : body;
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
