// All built-in shapes by name.
import { EniverseError } from "../../../base/error.ts";
import { coreShapes } from "./core-shapes.ts";
import { groupShapes } from "./group-shapes.ts";
import { metaShapes } from "./meta-shapes.ts";
import { podShapes } from "./pod-shapes.ts";
import { type ObjectShape, parseShapes, type Shape } from "./shape.ts";
import { volumeShapes } from "./volume-shapes.ts";

export const definitions: ReadonlyMap<string, ObjectShape> = new Map(
  parseShapes([metaShapes, podShapes, volumeShapes, coreShapes, groupShapes].join("\n")).map((shape) => [
    shape.name,
    shape,
  ]),
);

export function definition(name: string): ObjectShape {
  const found = definitions.get(name);
  if (found === undefined) {
    throw new EniverseError("internal", { attempted: `find the shape of ${name}`, found: "no such type" });
  }
  return found;
}

/** The shape of one field of an object; undefined when it has no such field, or is not an object. */
export function fieldShape(shape: Shape | undefined, name: string): Shape | undefined {
  if (shape?.is === "object") return definition(shape.name).fields.get(name);
  if (shape?.is === "map") return shape.of;
  return undefined;
}
