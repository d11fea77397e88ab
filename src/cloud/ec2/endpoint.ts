import { Ec2Fault } from "../model/fault.ts";
import type { Action, Call } from "./action.ts";
import { ec2Actions } from "./actions/table.ts";
import { Params } from "./decode-query.ts";
import { encodeElement, type XmlObject } from "./encode-xml.ts";
import { type Gate, passGate } from "./gate.ts";
import { isAllowed } from "./identity.ts";

/** Carries a call out: runs it on the model, stores what it changed and waits for the packet plane. */
export type Perform = (run: (ctx: Call["ctx"]) => XmlObject) => Promise<XmlObject>;

const namespace = "http://ec2.amazonaws.com/doc/2016-11-15/";

/** Parameters of the protocol and of signatures in a query string, which no action sees. */
const protocolParams = /^(Action|Version|AWSAccessKeyId|Signature.*|Timestamp|Expires|X-Amz-.*)$/;

/** Reads the form of a Query request, from its body or its URL. */
export async function readForm(request: Request): Promise<URLSearchParams> {
  const form = new URLSearchParams(new URL(request.url).search);
  if (request.method === "POST") {
    for (const [name, value] of new URLSearchParams(await request.text())) form.set(name, value);
  }
  return form;
}

/**
 * Answers one request of the EC2 Query protocol (API version 2016-11-15). Faults become XML errors with their HTTP
 * status; anything else that is thrown is left to the caller.
 */
export async function answerEc2(
  gate: Gate,
  request: Request,
  form: URLSearchParams,
  perform: Perform,
): Promise<Response> {
  const requestId = uuid(gate);
  try {
    const name = form.get("Action");
    if (name === null || name === "") {
      throw new Ec2Fault("MissingAction", "The request is missing an action or a required parameter.");
    }
    const call = ec2Actions.get(name);
    const params = Params.decode(withoutProtocol(form));
    const narrowed = params.names().some((one) => one !== "DryRun");
    const identity = await passGate(gate, { request, service: "ec2", action: name, narrowed });
    if (call === undefined) {
      throw new Ec2Fault("InvalidAction", `The action ${name} is not valid for this web service.`);
    }
    checkNames(call, params);
    if (params.bool("DryRun") === true) {
      throw new Ec2Fault("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412);
    }
    if (hasTags(params) && call.name !== "CreateTags" && !isAllowed(identity.role, "ec2:CreateTags")) {
      throw new Ec2Fault(
        "UnauthorizedOperation",
        `You are not authorized to perform this operation. User: ${identity.arn} is not authorized to perform: ec2:CreateTags because no identity-based policy allows the ec2:CreateTags action`,
        403,
      );
    }
    const answer = await perform((ctx) => call.run({ ctx, params, identity }));
    const root = `${name}Response`;
    return xml(200, encodeElement(root, { requestId, ...answer }, ` xmlns="${namespace}"`), requestId);
  } catch (fault) {
    if (!(fault instanceof Ec2Fault)) throw fault;
    return errorAnswer(fault, requestId);
  }
}

/** Creating something with tags takes the permission to tag as well. */
function hasTags(params: Params): boolean {
  return params.structs("TagSpecification").some((one) => one.structs("Tag").length > 0);
}

function withoutProtocol(form: URLSearchParams): URLSearchParams {
  return new URLSearchParams([...form].filter(([name]) => !protocolParams.test(name)));
}

function checkNames(call: Action, params: Params): void {
  const unknown = params.names().find((name) => !call.params.includes(name));
  if (unknown !== undefined) {
    throw new Ec2Fault("UnknownParameter", `The parameter ${unknown} is not recognized`);
  }
}

export function errorAnswer(fault: Ec2Fault, requestId: string): Response {
  const body = {
    Errors: { Error: { Code: fault.code, Message: fault.message } },
    RequestID: requestId,
  };
  return xml(fault.httpStatus, encodeElement("Response", body), requestId);
}

export function xml(status: number, body: string, requestId: string): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>\n${body}`, {
    status,
    headers: {
      "content-type": "text/xml;charset=UTF-8",
      "x-amzn-requestid": requestId,
      "cache-control": "no-cache, no-store",
    },
  });
}

/** A request id in the form of a UUID. */
export function uuid({ random }: Pick<Gate, "random">): string {
  return [8, 4, 4, 4, 12].map((digits) => random.hex(digits)).join("-");
}
