// Reading what a client sent.
import { parse as parseYaml } from "yaml";
import { messageOf } from "../../../base/error.ts";
import { badRequest, unsupportedMediaType } from "../failures.ts";
import { type PatchForm, patchMediaTypes } from "../patching.ts";

/** As the API server: more is refused. */
const limitBytes = 3 * 1024 * 1024;

/** The media type without its parameters. */
export function mediaTypeOf(request: Request): string {
  return (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

/** An object, sent as JSON or YAML. Throws BadRequest or UnsupportedMediaType. */
export async function readObject(request: Request): Promise<unknown> {
  const media = mediaTypeOf(request);
  if (media !== "" && media !== "application/json" && media !== "application/yaml") {
    throw unsupportedMediaType(media, ["application/json", "application/yaml"]);
  }
  return parseText(await readText(request), media === "application/yaml");
}

/** As {@link readObject}, but undefined when nothing was sent. */
export async function readOptionalObject(request: Request): Promise<unknown> {
  const text = await readText(request);
  return text === "" ? undefined : parseText(text, mediaTypeOf(request) === "application/yaml");
}

/** A patch and its form. */
export async function readPatch(request: Request): Promise<{ form: PatchForm; patch: unknown }> {
  const media = mediaTypeOf(request);
  if (!Object.hasOwn(patchMediaTypes, media)) throw unsupportedMediaType(media, Object.keys(patchMediaTypes));
  const form = patchMediaTypes[media as keyof typeof patchMediaTypes];
  return { form, patch: parseText(await readText(request), form === "apply") };
}

async function readText(request: Request): Promise<string> {
  const text = await request.text();
  if (text.length > limitBytes) throw badRequest(`the body is larger than ${limitBytes} bytes`);
  return text;
}

function parseText(text: string, isYaml: boolean): unknown {
  try {
    return isYaml ? parseYaml(text) : JSON.parse(text);
  } catch (error) {
    throw badRequest(`the object provided is unrecognized: ${messageOf(error)}`);
  }
}
