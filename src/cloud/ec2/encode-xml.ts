/** A value of an answer; lists become `<item>` elements, absent values nothing. */
export type XmlValue = string | number | boolean | undefined | XmlObject | readonly XmlValue[];

export interface XmlObject {
  readonly [name: string]: XmlValue;
}

/** Writes an element with its content. */
export function encodeElement(name: string, value: XmlValue, attributes = ""): string {
  if (value === undefined) return "";
  const content = encodeContent(value);
  return content === "" ? `<${name}${attributes}/>` : `<${name}${attributes}>${content}</${name}>`;
}

function encodeContent(value: XmlValue): string {
  switch (typeof value) {
    case "string":
      return escapeText(value);
    case "number":
    case "boolean":
      return String(value);
    case "undefined":
      return "";
    default:
      if (isList(value)) return value.map((item) => encodeElement("item", item)).join("");
      return Object.entries(value)
        .map(([name, member]) => encodeElement(name, member))
        .join("");
  }
}

function isList(value: XmlObject | readonly XmlValue[]): value is readonly XmlValue[] {
  return Array.isArray(value);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 has no way to write these.
const unwritable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

function escapeText(text: string): string {
  return text
    .replace(unwritable, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("\r", "&#13;");
}
