import { EniverseError, messageOf } from "../../base/error.ts";
import type { Refusal } from "../control.ts";
import type { FaultDesk } from "./desk.ts";

/** Answers POST /break, POST /heal and GET /faults of the control socket; undefined for anything else. */
export function answerFaults(desk: FaultDesk, request: Request, path: string): Promise<Response> | undefined {
  switch (`${request.method} ${path}`) {
    case "GET /faults":
      return guarded(async () => desk.list());
    case "POST /break":
      return guarded(async () => {
        const standing = await desk.break(await readJson(request));
        return standing === undefined ? {} : { standing };
      });
    case "POST /heal":
      return guarded(async () => {
        const { which } = (await readJson(request)) as { readonly which?: unknown };
        return desk.heal(typeof which === "string" ? which : undefined);
      });
    default:
      return undefined;
  }
}

async function readJson(request: Request): Promise<unknown> {
  const text = await request.text();
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch (cause) {
    throw new EniverseError("invalid_argument", {
      attempted: "read the request",
      found: messageOf(cause),
      wanted: "JSON",
      cause,
    });
  }
}

async function guarded(answer: () => Promise<unknown>): Promise<Response> {
  try {
    return Response.json(await answer());
  } catch (error) {
    const refusal: Refusal = { message: messageOf(error) };
    if (!(error instanceof EniverseError)) return Response.json(refusal, { status: 500 });
    const { attempted, found, wanted, fix } = error.parts;
    return Response.json(
      { ...refusal, code: error.code, attempted, found, wanted, fix },
      { status: error.code === "internal" ? 500 : 400 },
    );
  }
}
