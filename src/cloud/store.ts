import type { ResourceKind } from "./model/state.ts";

/** Where the resources of the model outlive the process. */
export interface CloudStore {
  /** Every stored resource. */
  load(): Iterable<{ readonly kind: ResourceKind; readonly id: string; readonly resource: unknown }>;
  /** Writes changes in one transaction; `undefined` deletes. */
  save(
    changes: readonly { readonly kind: ResourceKind; readonly id: string; readonly resource: unknown }[],
  ): void;
  close(): void;
}
