import type { ServerDuplexStream, ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { serviceOf } from "../rpc/load.ts";
import { type Field, readFields, writeBytes, writeText } from "./protobuf-wire.ts";

/**
 * Server reflection, so that `grpcurl` and its like can call ipamd without the proto file: lists the services and
 * hands out the file descriptors that proto-loader compiled. Both versions of the protocol have the same messages.
 */
export function reflection(): {
  readonly service: ServiceDefinition;
  readonly handlers: UntypedServiceImplementation;
}[] {
  const files = descriptors();
  return ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"].map((name) => ({
    service: {
      ServerReflectionInfo: {
        path: `/${name}/ServerReflectionInfo`,
        requestStream: true,
        responseStream: true,
        requestSerialize: (bytes: Buffer) => bytes,
        requestDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: (bytes: Buffer) => bytes,
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    },
    handlers: {
      ServerReflectionInfo: (call: ServerDuplexStream<Buffer, Buffer>) => {
        call.on("data", (request: Buffer) => call.write(answer(request, files)));
        call.on("end", () => call.end());
      },
    },
  }));
}

/** Field numbers of ServerReflectionRequest (grpc/reflection/v1/reflection.proto). */
const asked = { file: 3, symbol: 4, listServices: 7 } as const;
/** Field numbers of ServerReflectionResponse. */
const given = { originalRequest: 2, files: 4, services: 6, error: 7 } as const;
const notFound = 5;

const services: readonly string[] = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
  "rpc.CNIBackend",
  "rpc.ConfigServerBackend",
];

export function answer(request: Buffer, files: readonly Buffer[]): Buffer {
  const fields = readFields(request);
  const has = (number: number): boolean => fields.some((field) => field.number === number);
  const echo = writeBytes(given.originalRequest, request);
  if (has(asked.listServices)) {
    const list = Buffer.concat(services.map((name) => writeBytes(1, writeText(1, name))));
    return Buffer.concat([echo, writeBytes(given.services, list)]);
  }
  const symbol = textOf(fields.find((field) => field.number === asked.symbol));
  const file = textOf(fields.find((field) => field.number === asked.file));
  const found =
    symbol?.startsWith("rpc.") || (file !== undefined && files.some((entry) => nameOf(entry) === file));
  if (found) {
    return Buffer.concat([
      echo,
      writeBytes(given.files, Buffer.concat(files.map((entry) => writeBytes(1, entry)))),
    ]);
  }
  const error = Buffer.concat([
    Buffer.of(0x08, notFound),
    writeText(2, `not found: ${symbol ?? file ?? ""}`),
  ]);
  return Buffer.concat([echo, writeBytes(given.error, error)]);
}

/** Every file descriptor behind our services, once. */
function descriptors(): Buffer[] {
  const byName = new Map<string, Buffer>();
  for (const name of ["CNIBackend", "ConfigServerBackend"] as const) {
    for (const method of Object.values(serviceOf(name))) {
      // proto-loader puts the descriptors on the types of each method; grpc-js's own types do not say so.
      for (const type of [Reflect.get(method, "requestType"), Reflect.get(method, "responseType")]) {
        const files: unknown = Reflect.get(Object(type), "fileDescriptorProtos");
        if (!Array.isArray(files)) continue;
        for (const file of files)
          if (file instanceof Uint8Array) byName.set(nameOf(Buffer.from(file)), Buffer.from(file));
      }
    }
  }
  return [...byName.values()];
}

/** FileDescriptorProto.name, field 1. */
function nameOf(descriptor: Buffer): string {
  return textOf(readFields(descriptor).find((field) => field.number === 1)) ?? "";
}

function textOf(field: Field | undefined): string | undefined {
  return field?.bytes?.toString();
}
