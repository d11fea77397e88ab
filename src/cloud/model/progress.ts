import { finishAttach, finishDetach } from "./attachment.ts";
import { finishStop, finishTermination } from "./instance.ts";
import { finishNatGateway } from "./nat-gateway.ts";
import type { Context, DueTransition } from "./state.ts";

/** Carries out every transition whose time has come, the earliest first. Returns true if there was one. */
export function progress(ctx: Context): boolean {
  const { state, now } = ctx;
  let any = false;
  for (;;) {
    const due = state.due[0];
    if (due === undefined || due.at > now) return any;
    state.due.shift();
    carryOut(ctx, due);
    any = true;
  }
}

/** A transition whose resource has gone meanwhile, or has been moved on otherwise, does nothing. */
function carryOut(ctx: Context, due: DueTransition): void {
  const { state } = ctx;
  switch (due.kind) {
    case "attach":
    case "detach": {
      const eni = state.enis.get(due.id);
      if (eni?.attachment?.dueAt !== due.at) return;
      if (due.kind === "attach") finishAttach(state, eni);
      else finishDetach(state, eni);
      return;
    }
    case "terminate": {
      const instance = state.instances.get(due.id);
      if (instance?.state === "shutting-down") finishTermination(ctx, instance);
      return;
    }
    case "stop": {
      const instance = state.instances.get(due.id);
      if (instance?.state === "stopping") finishStop(ctx, instance);
      return;
    }
    case "forget-instance":
      if (state.instances.get(due.id)?.state === "terminated") state.drop("instance", due.id);
      return;
    case "nat-gateway":
    case "forget-nat-gateway": {
      const gateway = state.natGateways.get(due.id);
      if (gateway !== undefined) finishNatGateway(ctx, gateway);
      return;
    }
  }
}
