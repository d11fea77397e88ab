// GET /openapi/v2, as JSON or Protocol Buffers.
import { noSuchPath } from "../failures.ts";
import type { Registry } from "../registry.ts";
import { encodeDocument } from "./protobuf.ts";
import { swaggerOf } from "./swagger.ts";

/** Clients ask for "…v2@v1.0+protobuf", which is no media type: Go's parser refuses it in an answer. */
const protobufType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

export function openApiResponse(registry: Registry, request: Request, path: string): Response {
  if (path !== "/openapi/v2") throw noSuchPath();
  const document = swaggerOf(registry);
  const accept = request.headers.get("accept") ?? "";
  if (accept.includes("proto-openapi.spec.v2")) {
    return new Response(encodeDocument(document), { headers: { "content-type": protobufType } });
  }
  return Response.json(document);
}
