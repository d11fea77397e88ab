import { EniverseError } from "../../base/error.ts";
import { align4, hostIsLittleEndian as le, viewOf } from "./align.ts";

/**
 * struct nlattr of <linux/netlink.h>: __u16 nla_len (with these 4 bytes), __u16 nla_type; the value follows,
 * padded to 4 bytes. Two bits of the type are flags: NLA_F_NESTED and NLA_F_NET_BYTEORDER.
 */
const attributeHeaderLength = 4;
const typeMask = 0x3fff;
const longestValue = 0xffff - attributeHeaderLength;

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

/** Builds a message body: fixed structures and attributes in the order of the calls. */
export class AttributeEncoder {
  #bytes = new Uint8Array(256);
  #view = viewOf(this.#bytes);
  #length = 0;

  /** Appends a fixed structure, padded to 4 bytes, and returns a view of it to fill in at once. */
  struct(length: number): DataView {
    const at = this.#grow(align4(length));
    return new DataView(this.#bytes.buffer, at, length);
  }

  u8(type: number, value: number): this {
    this.#bytes[this.#attribute(type, 1)] = value;
    return this;
  }

  u16(type: number, value: number): this {
    const at = this.#attribute(type, 2);
    this.#view.setUint16(at, value, le);
    return this;
  }

  u32(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    this.#view.setUint32(at, value, le);
    return this;
  }

  bytes(type: number, value: Uint8Array): this {
    const at = this.#attribute(type, value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** A text with the NUL that C wants. */
  string(type: number, value: string): this {
    return this.bytes(type, utf8.encode(`${value}\0`));
  }

  /** A text without NUL, as iproute2 sends link kinds. */
  text(type: number, value: string): this {
    return this.bytes(type, utf8.encode(value));
  }

  /** An attribute whose value is what `fill` appends. */
  nested(type: number, fill: (inner: this) => void): this {
    const at = this.#attribute(type, 0) - attributeHeaderLength;
    fill(this);
    const length = this.#length - at;
    if (length > 0xffff) throw tooLong(type, length - attributeHeaderLength);
    this.#view.setUint16(at, length, le);
    return this;
  }

  /** A copy of what was built. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #attribute(type: number, valueLength: number): number {
    if (valueLength > longestValue) throw tooLong(type, valueLength);
    const at = this.#grow(attributeHeaderLength + align4(valueLength));
    this.#view.setUint16(at, attributeHeaderLength + valueLength, le);
    this.#view.setUint16(at + 2, type, le);
    return at + attributeHeaderLength;
  }

  #grow(by: number): number {
    const at = this.#length;
    this.#length += by;
    if (this.#length > this.#bytes.length) {
      const bigger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      bigger.set(this.#bytes);
      this.#bytes = bigger;
      this.#view = viewOf(bigger);
    }
    return at;
  }
}

function tooLong(type: number, length: number): EniverseError {
  return new EniverseError("invalid_argument", {
    attempted: `encode netlink attribute ${type}`,
    found: `a value of ${length} bytes`,
    wanted: `at most ${longestValue} bytes`,
  });
}

/**
 * Walks over attributes: `while (attributes.next()) switch (attributes.type) …`. A malformed attribute does not
 * throw where it is read: the first problem is kept, reading goes on with zeros, and {@link finish} throws it, so
 * that no half-read value gets out.
 */
export class AttributeDecoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #subject: string;
  readonly #problem: { text?: string };
  #offset: number;
  #valueAt = 0;
  #valueLength = 0;
  #type = 0;

  /** Attributes start at `offset`; `subject` is for error messages ("a route"). */
  constructor(bytes: Uint8Array, offset: number, subject: string, problem: { text?: string } = {}) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#subject = subject;
    this.#problem = problem;
    this.#offset = offset;
    if (offset > bytes.length) this.#fail(`${bytes.length} bytes where a header takes ${offset}`);
  }

  /** Type of the current attribute, without its flag bits. */
  get type(): number {
    return this.#type;
  }

  /** Moves to the next attribute; false at the end or after a problem. */
  next(): boolean {
    if (this.#problem.text !== undefined) return false;
    const left = this.#bytes.length - this.#offset;
    // The kernel's own nla_ok ignores up to 3 bytes of padding at the end.
    if (left < attributeHeaderLength) return false;
    const length = this.#view.getUint16(this.#offset, le);
    if (length < attributeHeaderLength || length > left) {
      this.#fail(`attribute length ${length} with ${left} bytes left`);
      return false;
    }
    this.#type = this.#view.getUint16(this.#offset + 2, le) & typeMask;
    this.#valueAt = this.#offset + attributeHeaderLength;
    this.#valueLength = length - attributeHeaderLength;
    this.#offset += align4(length);
    return true;
  }

  u8(): number {
    return this.#has(1) ? this.#view.getUint8(this.#valueAt) : 0;
  }

  u16(): number {
    return this.#has(2) ? this.#view.getUint16(this.#valueAt, le) : 0;
  }

  u32(): number {
    return this.#has(4) ? this.#view.getUint32(this.#valueAt, le) : 0;
  }

  i32(): number {
    return this.#has(4) ? this.#view.getInt32(this.#valueAt, le) : 0;
  }

  /** A view of the value. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(this.#valueAt, this.#valueAt + this.#valueLength);
  }

  /** A text up to its first NUL or the end. */
  string(): string {
    const bytes = this.bytes();
    const end = bytes.indexOf(0);
    return fromUtf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** The attributes inside, `skip` bytes (a fixed structure) into the value; problems go to this decoder. */
  nested(skip = 0): AttributeDecoder {
    return new AttributeDecoder(this.bytes(), skip, this.#subject, this.#problem);
  }

  /** Notes a problem that the reader found. */
  reject(problem: string): void {
    this.#fail(problem);
  }

  /** Throws `corrupted` when anything was malformed. */
  finish(): void {
    if (this.#problem.text !== undefined) {
      throw new EniverseError("corrupted", {
        attempted: `decode ${this.#subject} from netlink`,
        found: this.#problem.text,
      });
    }
  }

  #has(length: number): boolean {
    if (this.#valueLength === length) return true;
    this.#fail(`attribute ${this.#type} of ${this.#valueLength} bytes where ${length} are due`);
    return false;
  }

  #fail(text: string): void {
    this.#problem.text ??= text;
  }
}
