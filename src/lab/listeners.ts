import { EniverseError, messageOf } from "../base/error.ts";
import type { Cloud } from "../cloud/cloud.ts";
import { inNetns, Netns } from "../linux/netns.ts";

/** Where instances find the metadata service (EC2's own address). */
export const imdsAddress = "169.254.169.254";
/** Where EC2, STS and EKS listen inside a lab's VPC; stands for the public endpoints of a region. */
export const endpointAddress = "169.254.169.249";

export interface Listeners {
  /** Port of the AWS endpoint on loopback. */
  readonly endpointPort: number;
  stop(): void;
}

/**
 * Opens the cloud's services: metadata and the AWS endpoint in the router's namespace for the nodes, and the
 * endpoint on the machine's loopback for people. `port` 0 takes a free one.
 */
export function openListeners(cloud: Cloud, routerNetns: string, port: number): Listeners {
  using router = Netns.open(routerNetns);
  const answer = guarded((request) => cloud.endpoint(request));
  const imds = inNetns(router, () => cloud.listenImds(imdsAddress, 80));
  const inside = inNetns(router, () => Bun.serve({ hostname: endpointAddress, port: 80, fetch: answer }));
  const outside = listenOnLoopback(port, answer);
  return {
    endpointPort: outside.port ?? port,
    stop: () => {
      imds.stop();
      for (const server of [inside, outside]) server.stop(true);
    },
  };
}

function listenOnLoopback(port: number, answer: (request: Request) => Promise<Response>) {
  try {
    return Bun.serve({ hostname: "127.0.0.1", port, fetch: answer });
  } catch (cause) {
    throw new EniverseError("unavailable", {
      attempted: `listen on 127.0.0.1:${port} for the AWS endpoint`,
      found: messageOf(cause),
      fix: "End the program that has the port, or take the lab down and up again for another port",
      cause,
    });
  }
}

/** A service never answers with a stack trace: what it did not expect is a 500 with one line. */
function guarded(answer: (request: Request) => Promise<Response>): (request: Request) => Promise<Response> {
  return async (request) => {
    try {
      return await answer(request);
    } catch (error) {
      return new Response(`${messageOf(error)}\n`, { status: 500 });
    }
  };
}
