import type { ServerUnaryCall, ServerWritableStream, ServiceDefinition, sendUnaryData } from "@grpc/grpc-js";
import { readFields, writeText } from "./protobuf-wire.ts";

/** `grpc.health.v1.Health`, written out: one text in, one number out. */
export const healthService: ServiceDefinition = {
  Check: { ...messages("Check"), requestStream: false, responseStream: false },
  Watch: { ...messages("Watch"), requestStream: false, responseStream: true },
};

/** The service names that the official ipamd reports on. */
const servedNames: readonly string[] = ["", "grpc.health.v1.aws-node"];
const serving = 1;
const serviceUnknown = 3;
const notFound = 5;

/** ipamd listens only when it is ready, so whoever reaches it finds it serving. */
export const healthHandlers = {
  Check: (call: ServerUnaryCall<Question, Verdict>, answer: sendUnaryData<Verdict>): void => {
    if (servedNames.includes(call.request.service)) answer(null, { status: serving });
    else answer({ code: notFound, details: "unknown service" });
  },
  Watch: (call: ServerWritableStream<Question, Verdict>): void => {
    // Stays open: a change of the state would be written to it.
    call.write({ status: servedNames.includes(call.request.service) ? serving : serviceUnknown });
  },
};

function messages(method: string) {
  return {
    path: `/grpc.health.v1.Health/${method}`,
    requestSerialize: encodeRequest,
    requestDeserialize: decodeRequest,
    responseSerialize: encodeResponse,
    responseDeserialize: decodeResponse,
  };
}

// Messages are objects: grpc-js takes a value that is falsy, as an empty name or 0, for a missing message.

/** `HealthCheckRequest { string service = 1; }`. */
interface Question {
  readonly service: string;
}

function encodeRequest({ service }: Question): Buffer {
  return service === "" ? Buffer.alloc(0) : writeText(1, service);
}

function decodeRequest(bytes: Buffer): Question {
  const name = readFields(bytes).find((field) => field.number === 1);
  return { service: name?.bytes?.toString() ?? "" };
}

/** `HealthCheckResponse { ServingStatus status = 1; }`. */
interface Verdict {
  readonly status: number;
}

function encodeResponse({ status }: Verdict): Buffer {
  return Buffer.of(0x08, status);
}

function decodeResponse(bytes: Buffer): Verdict {
  return { status: Number(readFields(bytes).find((field) => field.number === 1)?.value ?? 0n) };
}
