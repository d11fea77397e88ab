import { Ec2Fault } from "../model/fault.ts";
import type { XmlObject } from "./encode-xml.ts";

/** So many tokens are remembered, the newest; AWS remembers them for hours. */
const remembered = 4096;

/**
 * Answers of calls that carried a client token: the same call again gets the same answer and changes nothing. SDKs send
 * a token by themselves, so that a retry after a lost answer makes no second resource.
 */
export class ClientTokens {
  readonly #answers = new Map<string, { readonly asked: string; readonly answer: XmlObject }>();

  /** The earlier answer; throws IdempotentParameterMismatch when the token came with another request. */
  find(action: string, form: URLSearchParams): XmlObject | undefined {
    const known = this.#answers.get(keyOf(action, form));
    if (known === undefined) return undefined;
    if (known.asked === askedOf(form)) return known.answer;
    throw new Ec2Fault(
      "IdempotentParameterMismatch",
      "The client token you have provided is associated with a resource of different parameters.",
    );
  }

  note(action: string, form: URLSearchParams, answer: XmlObject): void {
    if (!hasToken(form)) return;
    this.#answers.set(keyOf(action, form), { asked: askedOf(form), answer });
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > remembered && oldest !== undefined) this.#answers.delete(oldest);
  }
}

function hasToken(form: URLSearchParams): boolean {
  return (form.get("ClientToken") ?? "") !== "";
}

/** Requests without a token never meet: no key of theirs is ever noted. */
function keyOf(action: string, form: URLSearchParams): string {
  return `${action} ${form.get("ClientToken") ?? ""}`;
}

function askedOf(form: URLSearchParams): string {
  const sorted = [...form].map(([name, value]) => `${name}=${value}`).sort();
  return sorted.join("\n");
}
