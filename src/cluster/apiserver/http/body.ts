// Reading what a client sent.
import { parse as parseYaml } from "yaml";
import { messageOf } from "../../../base/error.ts";
import { badRequest, unsupportedMediaType } from "../failures.ts";
import { type PatchForm, patchMediaTypes } from "../patching.ts";
import { decodeProtobuf } from "../protobuf/decode.ts";

/** As the API server: more is refused. */
const limitBytes = 3 * 1024 * 1024;

/** The media type without its parameters. */
export function mediaTypeOf(request: Request): string {
  return (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

const protobufType = "application/vnd.kubernetes.protobuf";
const objectTypes = ["application/json", "application/yaml", protobufType];

/** An object, sent as JSON, YAML or Protocol Buffers. Throws BadRequest or UnsupportedMediaType. */
export async function readObject(request: Request): Promise<unknown> {
  const media = mediaTypeOf(request);
  if (media !== "" && !objectTypes.includes(media)) throw unsupportedMediaType(media, objectTypes);
  const bytes = await readBytes(request);
  return media === protobufType ? parseProtobuf(bytes) : parseText(bytes.toString(), media.endsWith("yaml"));
}

/** As {@link readObject}, but undefined when nothing was sent. */
export async function readOptionalObject(request: Request): Promise<unknown> {
  const bytes = await readBytes(request);
  if (bytes.length === 0) return undefined;
  const media = mediaTypeOf(request);
  return media === protobufType ? parseProtobuf(bytes) : parseText(bytes.toString(), media.endsWith("yaml"));
}

/** A patch and its form. */
export async function readPatch(request: Request): Promise<{ form: PatchForm; patch: unknown }> {
  const media = mediaTypeOf(request);
  if (!Object.hasOwn(patchMediaTypes, media)) throw unsupportedMediaType(media, Object.keys(patchMediaTypes));
  const form = patchMediaTypes[media as keyof typeof patchMediaTypes];
  return { form, patch: parseText((await readBytes(request)).toString(), form === "apply") };
}

async function readBytes(request: Request): Promise<Buffer> {
  const bytes = Buffer.from(await request.arrayBuffer());
  if (bytes.length > limitBytes) throw badRequest(`the body is larger than ${limitBytes} bytes`);
  return bytes;
}

function parseProtobuf(bytes: Buffer): unknown {
  try {
    return decodeProtobuf(bytes);
  } catch (error) {
    throw badRequest(`the object provided is unrecognized: ${messageOf(error)}`);
  }
}

function parseText(text: string, isYaml: boolean): unknown {
  try {
    return isYaml ? parseYaml(text) : JSON.parse(text);
  } catch (error) {
    throw badRequest(`the object provided is unrecognized: ${messageOf(error)}`);
  }
}
