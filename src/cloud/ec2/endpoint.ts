import { Ec2Fault } from "../model/fault.ts";
import type { Action, Call } from "./action.ts";
import { ec2Actions } from "./actions/table.ts";
import { Params } from "./decode-query.ts";
import { encodeElement, type XmlObject } from "./encode-xml.ts";
import { type Gate, notAuthorized, passGate, served } from "./gate.ts";
import { type Identity, identify, isAllowed } from "./identity.ts";

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
export function answerEc2(
  gate: Gate,
  request: Request,
  form: URLSearchParams,
  perform: Perform,
): Promise<Response> {
  const requestId = uuid(gate);
  const name = form.get("Action") ?? "";
  const found = ec2Actions.get(name);
  const work = async (): Promise<Response> => {
    const asked = withoutProtocol(form);
    const params = Params.decode(asked);
    const call = await admit(gate, request, name, found, params);
    const answer = await perform((ctx) => {
      const earlier = gate.tokens.find(name, asked);
      if (earlier !== undefined) return earlier;
      const made = call.action.run({ ctx, params, identity: call.identity });
      gate.tokens.note(name, asked, made);
      return made;
    });
    const root = `${name}Response`;
    return xml(200, encodeElement(root, { requestId, ...answer }, ` xmlns="${namespace}"`), requestId);
  };
  // Names that nobody serves are counted as one, for anyone can make up any number of them.
  const action = found?.name ?? "(unknown)";
  return served(gate, { service: "ec2", action }, work, (fault) => errorAnswer(fault, requestId));
}

/** Checks everything about a request that does not depend on the model. */
async function admit(
  gate: Gate,
  request: Request,
  name: string,
  action: Action | undefined,
  params: Params,
): Promise<{ readonly action: Action; readonly identity: Identity }> {
  if (name === "") {
    throw new Ec2Fault("MissingAction", "The request is missing an action or a required parameter.");
  }
  if (action === undefined) {
    identify(request, "ec2", gate.config, gate.state, gate.clock.now());
    throw new Ec2Fault("InvalidAction", `The action ${name} is not valid for this web service.`);
  }
  const narrowed = params.names().some((one) => one !== "DryRun");
  const identity = await passGate(gate, { request, service: "ec2", action: name, narrowed });
  checkNames(action, params);
  if (hasTags(params) && !isAllowed(identity.role, "ec2:CreateTags")) {
    throw notAuthorized("ec2", "CreateTags", identity, gate.random);
  }
  if (params.bool("DryRun") === true) {
    throw new Ec2Fault("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412);
  }
  return { action, identity };
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
